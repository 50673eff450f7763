// The part of fengari's interface, which is Lua's own C interface, that the tests of the Argo CD health check use. It ships no types.
declare module 'fengari' {
  interface State {
    readonly state: unique symbol;
  }
  type LuaText = Uint8Array;
  export const lua: {
    readonly LUA_OK: number;
    lua_newtable(state: State): void;
    lua_pushboolean(state: State, value: boolean): void;
    lua_pushinteger(state: State, value: number): void;
    lua_pushnumber(state: State, value: number): void;
    lua_pushstring(state: State, value: LuaText): void;
    lua_settable(state: State, index: number): void;
    lua_setglobal(state: State, name: LuaText): void;
    lua_getfield(state: State, index: number, name: LuaText): number;
    lua_tojsstring(state: State, index: number): string;
    lua_pcall(state: State, args: number, results: number, handler: number): number;
    lua_pop(state: State, count: number): void;
    lua_close(state: State): void;
  };
  export const lauxlib: {
    luaL_newstate(): State;
    luaL_requiref(state: State, name: LuaText, open: (state: State) => number, global: boolean): void;
    luaL_loadstring(state: State, text: LuaText): number;
  };
  export const lualib: {
    readonly luaopen_base: (state: State) => number;
    readonly luaopen_table: (state: State) => number;
  };
  export function to_luastring(text: string): LuaText;
}
