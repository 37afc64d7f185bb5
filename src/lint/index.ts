/**
 * `taskmill lint`: checks manifests without a cluster, by the rules that apply in one: the schemas with their defaults
 * and CEL rules, what `plans` understands, and Kubernetes' own definitions of metadata, pods and Jobs (`kubernetes/`). It
 * also finds what only the whole set of manifests shows: references to missing objects, duplicate names, contradictions,
 * and words that mean nothing where they stand.
 *
 * Guarantees: lint reads what kubectl reads, and names everything that it does not judge. It finds what the API server or
 * a controller refuses about a new object, at the same field; a warning of the API server is a warning. Every finding has
 * a line and a column.
 * Does not: read files (but its definitions, when the first template comes) or open connections; check changes (immutable
 * fields), policies and quotas of a cluster, or objects of other groups such as Secrets and Deployments.
 */
export { decodeManifest } from './encoding.ts'
export { countFindings, formats, renderReport, summarizeReport } from './report.ts'
export type { Finding, Format, Report, Severity, Source, Unjudged } from './report.ts'
export { findSchedules, type FoundSchedule, lint, type LintOptions } from './lint.ts'
export { parseYaml, valueOf, type YamlDocument } from './yaml.ts'
