/**
 * CEL, the expression language of Kubernetes: bare, in `$(…)` templates, and as the validation rules of our own CRDs.
 *
 * Guarantees: an expression sees only the values it is given and reaches nothing else; its size, its work and the size of what it
 * makes are limited, so that whoever writes one cannot stall or blow up the process; a regular expression takes time linear in
 * its input. What is wrong is said with its position and with what to write instead.
 * Does not: know types of variables beyond what they hold; integers are exact within 2^53 only, as everywhere in JSON.
 */
export { compile, evaluateRule, type CompileOptions, type Expression, type Use } from './compile.ts'
export { compileDocument, compileTemplate, compileText, describeError } from './template.ts'
export type { CompiledDocument, DocumentFault, TextExpression } from './template.ts'
export type { ExpressionLimits } from './meter.ts'
