/**
 * CEL, the expression language of Kubernetes: plain, in `$(…)` templates, and as the validation rules of our own CRDs.
 *
 * Guarantees: an expression sees only the values that it is given. Its size, its work and the size of its values are
 * limited, so that a user cannot stall or exhaust the process. A regular expression takes linear time. Every error has
 * a position and says what to write instead.
 * A number of JSON is a double whatever its value is, and numbers of all types mix; see `values.ts`.
 * Does not: know types of variables beyond their values. `conformance.tsv` lists what is supported of CEL.
 */
export { compile, evaluateRule, type CompileOptions, type Expression } from './compile.ts'
export { compileDocument, compileTemplate, compileText, describeError } from './template.ts'
export type { CompiledDocument, DocumentFault, TextExpression } from './template.ts'
export type { ExpressionLimits } from './meter.ts'
export type { Comparison, Use } from './uses.ts'
