/**
 * The user has to type something else; the message names the option or the argument, and what to write. The programs answer it with their usage
 * and exit code 2.
 */
export class UsageError extends Error {}

/** Returns the number of an option, from 1 to `most`; undefined if it was not written. Throws a `UsageError` that names the option. */
export function countOption(option: string, text: string | undefined, most: number): number | undefined {
  if (text === undefined) return undefined
  const count = /^\d+$/u.test(text) && text.length <= String(most).length ? Number(text) : 0
  if (count < 1 || count > most) throw new UsageError(`${option} ${text}: write a number from 1 to ${most}`)
  return count
}
