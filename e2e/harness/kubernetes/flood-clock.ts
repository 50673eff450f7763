// Loaded with --import into a program under test: its wall clock is wrong by FLOOD_CLOCK_SHIFT_MS, as on a machine whose time service failed.
// The clock that never goes back is right, as it is there.
const shift = Number(process.env['FLOOD_CLOCK_SHIFT_MS'] ?? 0);
const now = Date.now;

Date.now = () => now() + shift;
