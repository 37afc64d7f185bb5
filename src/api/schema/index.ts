/**
 * Combinators that declare a structural schema once: the CRD, the TypeScript type (`Infer`) and the reference page come
 * from the same value. They emit only what the API server accepts in a CRD. The compiler requires what good fields
 * have: a description, and bounds on every number, string and list. They do not validate: the API server does, or
 * `../validation` where there is none.
 */
export { list, listMap, map, object, openObject, set, union } from './containers.ts'
export { optional } from './schema.ts'
export type { AnySchema, Infer, InferWritten, JsonSchema, JsonValue, ValidationRule } from './schema.ts'
export { boolean, dateTime, enumeration, integer, intOrString, quantity, string } from './scalars.ts'
