/**
 * How much the tests that draw at random draw. In the suite each draws the same few every time, enough for every point and every kind of event
 * that it asserts; `make soak` draws many, by a seed that chance picks. The seed is printed; SEED=… repeats a run.
 */
const isSoak = process.env['SOAK'] !== undefined

export const seed = Number(process.env['SEED'] ?? (isSoak ? Math.floor(Math.random() * 2 ** 31) : 20_261_130))

/** The first number in the suite, the second in `make soak`. */
export function draws<T = number>(inSuite: T, inSoak: T): T {
  return isSoak ? inSoak : inSuite
}
