/**
 * `taskmill lint`: judges manifests without a cluster, by the rules that decide in one: the schemas with their defaults and CEL rules, and
 * what `plans` understands. Beside them what only the whole set shows: names that nobody has, names that
 * two have, and what cannot both be meant.
 *
 * Guarantees: what the API server or a controller refuses of a new object is found, at the field that they name; every finding has its line
 * and column; what lint passes the API server admits.
 * Does not: read files or talk to anything; know what a change would change (immutable fields), what of a pod template is wrong beyond
 * the parts that Taskmill uses, or Secrets, Deployments and other objects that are not ours.
 */
export { countFindings, formats, renderReport, summarizeReport } from './report.ts'
export type { Finding, Format, Report, Severity, Source } from './report.ts'
export { lint, type LintOptions } from './lint.ts'
