/** Where to after a sign-in: only back into the console, for what was `wanted` comes from the address bar and may be anybody's. */
export const wayBack = (wanted: string, home: string): string =>
  /^\/console(\/(?!\/)|\?|$)/.test(wanted) && !/[\\\s]|\/\.\.?(\/|$)/.test(wanted) ? wanted : home
