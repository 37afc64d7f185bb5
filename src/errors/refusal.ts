/**
 * Classifies what the API server answered to a write. The status code alone does not say whose fault an answer is: server-side apply answers
 * 500 for a variable that a template declares twice, and 403 stands for a quota, an admission policy, a missing role and a namespace that is
 * being deleted alike. So the status, the reason, the causes and the message decide together, here and nowhere else.
 *
 * Guarantees: every thrown value gets an answer; what is not recognized is retried and never blamed on an author.
 */
import { errorMessage, type ErrorCode, TaskmillError } from './taskmill-error.ts'

/** One field or circumstance that the API server rejects; `field` is a path such as `spec.scaling.minReplicas`. */
export type StatusCause = { readonly reason?: string; readonly message?: string; readonly field?: string }

/** The `details` of a `TaskmillError` that comes from the API server. */
export type KubeErrorDetails = {
  /** HTTP status, or the code inside a watch's ERROR event. */
  readonly status: number
  /** The API server's own word, for example `Invalid` or `Expired`. */
  readonly reason?: string
  readonly causes: readonly StatusCause[]
  /** How long the API server asks to wait, in seconds. */
  readonly retryAfterSeconds?: number
  /** Method and path of the request. */
  readonly request: string
}

/**
 * - `Invalid`, `TooLarge`: the object itself; only an edit helps.
 * - `Policy`, `PolicyUnavailable`: an admission webhook or policy says no, or cannot be asked.
 * - `Quota`, `Permission`: a ResourceQuota is used up; a role does not allow it.
 * - `NamespaceGone`: the namespace is being deleted, or does not exist.
 * - `Conflict`, `OwnedElsewhere`, `AlreadyExists`, `Gone`: another client changed the object, owns a field, was faster, or deleted it.
 * - `Overloaded`, `Unavailable`, `Unauthorized`: the API server itself, or the way to it.
 * - `Unexpected`: not an answer of the API server.
 */
export type RefusalKind =
  | 'Invalid'
  | 'TooLarge'
  | 'Policy'
  | 'PolicyUnavailable'
  | 'Quota'
  | 'Permission'
  | 'NamespaceGone'
  | 'Conflict'
  | 'OwnedElsewhere'
  | 'AlreadyExists'
  | 'Gone'
  | 'Overloaded'
  | 'Unavailable'
  | 'Unauthorized'
  | 'Unexpected'

/** One thing that is wrong. `next`: what to write instead, where that is known, at the field as people read it. */
export type Problem = { readonly field?: string; readonly message: string; readonly next?: (field: string) => string }

export type Refusal = {
  readonly kind: RefusalKind
  /** Who can change the answer: the author of the object, whoever administers the cluster, or nobody but the operator itself. */
  readonly actor: 'Author' | 'Administrator' | 'Operator'
  /** `OnEdit`: the same request gets the same answer. `Later`: the answer may change. `AtOnce`: read the object again. `Never`: nothing is left to write. */
  readonly retry: 'OnEdit' | 'Later' | 'AtOnce' | 'Never'
  readonly problems: readonly Problem[]
  /** What to do, where no problem has a remedy of its own. */
  readonly next: string
  /** How long the API server asks to wait, in milliseconds. */
  readonly retryAfterMs?: number
  /** Whether the API server answered at all. */
  readonly isAnswer: boolean
}

type Rule = Pick<Refusal, 'actor' | 'retry' | 'next'>

const rules: Readonly<Record<RefusalKind, Rule>> = {
  Invalid: { actor: 'Author', retry: 'OnEdit', next: 'correct the field' },
  TooLarge: { actor: 'Author', retry: 'OnEdit', next: 'make the object smaller: move large values to a ConfigMap, or pass a reference' },
  Policy: { actor: 'Author', retry: 'Later', next: 'change what the policy objects to, or ask the owner of the policy for an exception' },
  PolicyUnavailable: { actor: 'Administrator', retry: 'Later', next: 'repair the admission webhook that is named' },
  Quota: { actor: 'Administrator', retry: 'Later', next: 'raise the ResourceQuota, or delete what the namespace no longer needs' },
  Permission: { actor: 'Administrator', retry: 'Later', next: "grant it to the operator's role; the chart's RBAC does" },
  NamespaceGone: { actor: 'Operator', retry: 'Never', next: 'nothing; what is in the namespace goes with it' },
  Conflict: { actor: 'Operator', retry: 'AtOnce', next: 'nothing; the operator reads the object again' },
  OwnedElsewhere: { actor: 'Author', retry: 'Later', next: 'remove the field there, or let the other field manager release it' },
  AlreadyExists: { actor: 'Author', retry: 'Later', next: 'delete or rename the object of that name' },
  Gone: { actor: 'Operator', retry: 'AtOnce', next: 'nothing; the operator reads the object again' },
  Overloaded: { actor: 'Operator', retry: 'Later', next: 'nothing; the operator tries again when the API server allows it' },
  Unavailable: { actor: 'Administrator', retry: 'Later', next: 'check the API server if this lasts' },
  Unauthorized: { actor: 'Administrator', retry: 'Later', next: "check the operator's service account and its token" },
  Unexpected: { actor: 'Operator', retry: 'Later', next: "read the operator's log" },
}

/** Classifies any value that a write has thrown. */
export function classifyRefusal(error: unknown): Refusal {
  const details: Partial<KubeErrorDetails> = error instanceof TaskmillError ? error.details : {}
  const message = errorMessage(error)
  const kind = kindOf(error, details, message)
  const { retryAfterSeconds, status } = details
  return {
    kind,
    ...rules[kind],
    problems: problemsOf(kind, message, details.causes ?? []),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterMs: retryAfterSeconds * 1000 }),
    isAnswer: status !== undefined,
  }
}

/** The same of the author's object instead of the one that was written: `placeOf` leads from a field of this one to the field of that one. */
export function placeRefusal(refusal: Refusal, placeOf: (field: string) => string): Refusal {
  const problems = refusal.problems.map((problem) =>
    problem.field === undefined ? problem : { ...problem, field: placeOf(problem.field) },
  )
  return { ...refusal, problems }
}

/** One line: what is wrong with which field, and what to do next. */
export function describeRefusal(refusal: Refusal): string {
  return `${describeProblems(refusal)}. Next: ${describeRemedy(refusal)}`
}

/** One line about any failed write, for logs: with a remedy where the API server answered. */
export function describeFailure(error: unknown): string {
  const refusal = classifyRefusal(error)
  return refusal.kind === 'Unexpected' ? errorMessage(error) : describeRefusal(refusal)
}

export function describeProblems({ problems }: Pick<Refusal, 'problems'>): string {
  return problems.map(({ field, message }) => (field === undefined ? message : `${field}: ${message}`)).join('; ')
}

export function describeRemedy({ problems, next, kind }: Refusal): string {
  const remedies = new Set(problems.flatMap((problem) => problem.next?.(problem.field ?? '') ?? []))
  if (remedies.size > 0) return [...remedies].join('; ')
  const fields = new Set(problems.flatMap(({ field }) => field ?? []))
  return kind === 'Invalid' && fields.size > 0 ? `correct ${[...fields].join(', ')}` : next
}

function kindOf(error: unknown, { causes = [], status, reason }: Partial<KubeErrorDetails>, message: string): RefusalKind {
  if (!(error instanceof TaskmillError) || !error.code.startsWith('TM_KUBE_')) return 'Unexpected'
  if (causes.some((cause) => cause.reason === 'NamespaceTerminating') || /because it is being terminated/u.test(message))
    return 'NamespaceGone'
  if (/^namespaces? "[^"]*" not found/u.test(message)) return 'NamespaceGone'
  if (/failed calling webhook|failed to call webhook/u.test(message)) return 'PolicyUnavailable'
  if (/admission webhook ".*denied|denied (?:the )?request/u.test(message)) return 'Policy'
  if (isReplaced(status, causes, message)) return 'Gone'
  if (causes.some((cause) => cause.reason === 'FieldManagerConflict')) return 'OwnedElsewhere'
  if (status === 413 || reason === 'RequestEntityTooLarge' || isTooLarge(message)) return 'TooLarge'
  if (error.code === 'TM_KUBE_FORBIDDEN') return kindOfForbidden(message)
  return kindsOfCodes[error.code] ?? 'Unexpected'
}

const kindsOfCodes: Readonly<Partial<Record<ErrorCode, RefusalKind>>> = {
  TM_KUBE_INVALID: 'Invalid',
  TM_KUBE_CONFLICT: 'Conflict',
  TM_KUBE_ALREADY_EXISTS: 'AlreadyExists',
  TM_KUBE_NOT_FOUND: 'Gone',
  TM_KUBE_GONE: 'Gone',
  TM_KUBE_TOO_MANY_REQUESTS: 'Overloaded',
  TM_KUBE_UNAUTHORIZED: 'Unauthorized',
  TM_KUBE_UNAVAILABLE: 'Unavailable',
  TM_KUBE_BAD_RESPONSE: 'Unavailable',
}

function kindOfForbidden(message: string): RefusalKind {
  if (/exceeded quota|failed quota/u.test(message)) return 'Quota'
  // Of the authorizer, and of the admission plugin that guards owner references.
  if (/cannot \w+ (?:resource|path)|cannot set blockOwnerDeletion|cannot set an ownerRef/u.test(message)) return 'Permission'
  return 'Policy'
}

/** The object that was meant is gone, and another one may have its name. */
function isReplaced(status: number | undefined, causes: readonly StatusCause[], message: string): boolean {
  if (status === 409) return /uid mismatch|Precondition failed: UID/u.test(message)
  return status === 422 && causes.length > 0 && causes.every(({ field }) => field === 'metadata.uid')
}

/** Above 1.5 MB, etcd refuses what the API server has let pass. */
function isTooLarge(message: string): boolean {
  return /etcdserver: request is too large|trying to send message larger than max/u.test(message)
}

const applyFaults =
  /failed to create typed patch object|failed to convert (?:new|patched) object|unable to convert unstructured object|failed to create manager for/u

/** Whether an answer with a server's code (500) is about the content of the request. */
export function isFaultOfContent(message: string): boolean {
  return applyFaults.test(message) || isTooLarge(message)
}

function problemsOf(kind: RefusalKind, message: string, causes: readonly StatusCause[]): readonly Problem[] {
  if (kind === 'OwnedElsewhere') return causes.map(ownedProblem)
  if (kind !== 'Invalid') return [{ message: oneLine(message) }]
  const named = causes.filter(({ field, message: said }) => field !== undefined && field !== '<nil>' && said !== undefined)
  if (named.length > 0) return distinct(named.map(({ field = '', message: said = '' }) => withRemedy({ field, message: said })))
  const strict = /strict decoding error: (?<faults>.+)/u.exec(message)?.groups?.['faults']
  if (strict !== undefined) return distinct(strict.split(/, (?=unknown field|duplicate field)/u).map(decodingProblem))
  const lines = message.replace(/^.*?failed to create typed \w+ object \([^)]*\): /su, '').split(/\s(?=\.\w)/u)
  if (applyFaults.test(message) && lines.some((line) => typedFault.test(line)))
    return distinct(lines.filter((line) => typedFault.test(line)).map(typedProblem))
  return [unnamedProblem(oneLine(message))]
}

function ownedProblem({ field = '', message = '' }: StatusCause): Problem {
  return {
    field: field.replace(/^\./u, ''),
    message: message.replace(/^conflict with (?<manager>"[^"]*").*/u, 'field manager $<manager> owns it'),
  }
}

/** `.spec.template.spec.containers[name="worker"].args[0]: expected string, got &value.valueUnstructured{Value:8080}` */
const typedFault = /^\.(?<field>[^\s:]+(?:\[[^\]]*\][^\s:]*)*): (?<fault>.+)$/su

function typedProblem(line: string): Problem {
  const { field = '', fault = '' } = typedFault.exec(line)?.groups ?? {}
  return withRemedy({
    field,
    message: oneLine(fault).replace(/&value\.valueUnstructured\{Value:(?<value>.*)\}|&\{(?<plain>.*)\}/u, '$<value>$<plain>'),
  })
}

/** `unknown field "spec.template.spec.containers[0].arg"`, `json: cannot unmarshal number into Go struct field Container.spec.….args of type string` */
function decodingProblem(fault: string): Problem {
  const { what, field } = /^(?<what>unknown|duplicate) field "(?<field>[^"]+)"/u.exec(fault)?.groups ?? {}
  if (what === undefined || field === undefined) return unnamedProblem(fault)
  return withRemedy({ field, message: what === 'unknown' ? 'field not declared in schema' : 'the field stands there twice' })
}

/** What to write instead, by the words of the API server's validation. */
function withRemedy({ field, message }: { readonly field: string; readonly message: string }): Problem {
  const { key } = /duplicate entries for key \[(?<key>.*)\]/u.exec(message)?.groups ?? {}
  if (key !== undefined) return { field, message: `two entries have ${key}`, next: (at) => `keep one entry with ${key} in ${at}` }
  if (message.startsWith('field not declared in schema'))
    return { field, message: 'there is no such field', next: (at) => `correct the name ${at}, or remove it` }
  const { type, got } = /^expected (?<type>string|boolean|numeric|list|map)[^,]*, got (?<got>.*)$/u.exec(message)?.groups ?? {}
  switch (type) {
    case 'string': {
      const example = /^(?!(?:number|bool|string)$)[\w.-]{1,40}$/u.test(got ?? '') ? `: "${got}"` : ''
      return { field, message, next: (at) => `write ${at} as text, in quotes${example}` }
    }
    case 'boolean':
      return { field, message, next: (at) => `write ${at} as true or false, without quotes` }
    case 'numeric':
      return { field, message, next: (at) => `write ${at} as a number, without quotes` }
    case 'list':
      return { field, message, next: (at) => `write ${at} as a list, each entry after "- "` }
    case 'map':
      return { field, message, next: (at) => `write ${at} as fields with values, not as one value or a list` }
    default:
  }
  if (/field is immutable/u.test(message))
    return { field, message: 'it cannot be changed', next: (at) => `restore ${at}, or delete the object and create it again` }
  return { field, message }
}

/** Answers that do not name the field: of the decoder, of values that are not quantities. */
function unnamedProblem(message: string): Problem {
  const { found, field, type } =
    /cannot unmarshal (?<found>\w+) into Go struct field \w+\.(?<field>[\w.]+) of type (?<type>[\w.[\]]+)/u.exec(message)?.groups ?? {}
  if (field !== undefined) {
    const wanted = wantedTypes.find(([pattern]) => pattern.test(type ?? ''))?.[1] ?? type
    return withRemedy({ field, message: `expected ${wanted}, got ${found}` })
  }
  if (/quantities must match/u.test(message)) {
    return {
      message: 'a quantity (resources, sizeLimit, divisor) is not a number with a unit',
      next: () => 'write quantities such as 500m, 2, 512Mi, 1Gi',
    }
  }
  return { message: message.replace(/^.*?cannot be handled as an? \w+: |^.*?to proper version: /su, '') }
}

const wantedTypes: readonly (readonly [RegExp, string])[] = [
  [/^string/u, 'string'],
  [/^bool/u, 'boolean'],
  [/^u?int|^float/u, 'numeric'],
  [/^\[\]/u, 'list'],
  [/^map/u, 'map'],
]

function distinct(problems: readonly Problem[]): readonly Problem[] {
  return [...new Map(problems.map((problem) => [`${problem.field} ${problem.message}`, problem])).values()]
}

function oneLine(text: string): string {
  return text.trim().replaceAll(/\s+/gu, ' ').replace(/\.$/u, '')
}
