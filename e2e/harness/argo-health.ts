// Runs the health check shipped for Argo CD as Argo CD does: in a Lua interpreter with the base and table libraries and nothing else, the
// object in the global `obj`, the answer a table of status and message.
import { readFileSync } from 'node:fs';
import { lauxlib, lua, lualib, to_luastring } from 'fengari';

export interface Health {
  readonly status: string;
  readonly message: string;
}

type State = ReturnType<typeof lauxlib.luaL_newstate>;

const SCRIPT = new URL('../../charts/portcullis/files/argocd/health.lua', import.meta.url);

export const healthScript = (): string => readFileSync(SCRIPT, 'utf8');

/**
 * @param object as the API server gives it
 * @throws when the script fails
 */
export function healthOf(object: unknown, script = healthScript()): Health {
  const state = lauxlib.luaL_newstate();
  lauxlib.luaL_requiref(state, to_luastring('_G'), lualib.luaopen_base, true);
  lauxlib.luaL_requiref(state, to_luastring('table'), lualib.luaopen_table, true);
  lua.lua_pop(state, 2);
  push(state, object);
  lua.lua_setglobal(state, to_luastring('obj'));
  const code = lauxlib.luaL_loadstring(state, to_luastring(script)) || lua.lua_pcall(state, 0, 1, 0);
  if (code !== lua.LUA_OK) throw new Error(`health.lua: ${lua.lua_tojsstring(state, -1)}`);
  const answer = { status: field(state, 'status'), message: field(state, 'message') };
  lua.lua_close(state);
  return answer;
}

function field(state: State, name: string): string {
  lua.lua_getfield(state, -1, to_luastring(name));
  const text = lua.lua_tojsstring(state, -1);
  lua.lua_pop(state, 1);
  return text;
}

function push(state: State, value: unknown): void {
  if (typeof value === 'string') lua.lua_pushstring(state, to_luastring(value));
  else if (typeof value === 'boolean') lua.lua_pushboolean(state, value);
  else if (typeof value === 'number') {
    if (Number.isInteger(value)) lua.lua_pushinteger(state, value);
    else lua.lua_pushnumber(state, value);
  } else pushTable(state, value);
}

function pushTable(state: State, value: unknown): void {
  lua.lua_newtable(state);
  const entries = Array.isArray(value)
    ? value.map((each, index) => [index + 1, each] as const)
    : Object.entries(value ?? {}).filter(([, each]) => each !== undefined && each !== null);
  for (const [key, each] of entries) {
    push(state, key);
    push(state, each);
    lua.lua_settable(state, -3);
  }
}
