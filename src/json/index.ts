/**
 * Numbers of JSON without loss. JavaScript reads 1175930294816452671 as 1175930294816452600, and nobody notices.
 *
 * Guarantees: a number that JavaScript cannot hold is kept as it was written, and is written unchanged.
 * Does not: decide what becomes of it. The callers refuse it with its field, or pass it on.
 */
export {
  describeInexact,
  findInexactNumbers,
  isExact,
  isRawNumber,
  parseJson,
  rawNumber,
  withoutRawNumbers,
  type RawNumber,
} from './exact-numbers.ts'
