/**
 * `taskmill lint`: checks manifests without a cluster, by the rules that apply in one: the schemas with their defaults
 * and CEL rules, and what `plans` understands. It also finds what only the whole set of manifests shows: references to
 * missing objects, duplicate names, and contradictions.
 *
 * Guarantees: lint finds what the API server or a controller refuses about a new object, at the same field. Every
 * finding has a line and a column. The API server admits what lint passes.
 * Does not: read files or open connections; check changes (immutable fields), the parts of a pod template that Taskmill
 * does not use, or objects of other groups such as Secrets and Deployments.
 */
export { decodeManifest } from './encoding.ts'
export { countFindings, formats, renderReport, summarizeReport } from './report.ts'
export type { Finding, Format, Report, Severity, Source, Unjudged } from './report.ts'
export { lint, type LintOptions } from './lint.ts'
