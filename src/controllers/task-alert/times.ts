/** `03:12:05Z`: of today or so, where the date says nothing. */
export function clockTime(ms: number): string {
  return new Date(ms).toISOString().slice(11, 19) + 'Z'
}
