import { taskmillError, type ErrorCode, type TaskmillError } from '../errors/index.ts'

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

/** The API server's `Status` object, as far as it is used. */
type StatusBody = {
  readonly kind?: string
  readonly message?: string
  readonly reason?: string
  readonly code?: number
  readonly details?: { readonly causes?: readonly StatusCause[]; readonly retryAfterSeconds?: number }
}

function codeFor(status: number, reason: string | undefined): ErrorCode {
  switch (status) {
    case 401:
      return 'TM_KUBE_UNAUTHORIZED'
    case 403:
      return 'TM_KUBE_FORBIDDEN'
    case 404:
      return 'TM_KUBE_NOT_FOUND'
    case 409:
      return reason === 'AlreadyExists' ? 'TM_KUBE_ALREADY_EXISTS' : 'TM_KUBE_CONFLICT'
    case 410:
      return 'TM_KUBE_GONE'
    case 429:
      return 'TM_KUBE_TOO_MANY_REQUESTS'
    case 400:
    case 405:
    case 413:
    case 415:
    case 422:
      return 'TM_KUBE_INVALID'
    default:
      return status >= 500 ? 'TM_KUBE_UNAVAILABLE' : 'TM_KUBE_BAD_RESPONSE'
  }
}

/**
 * Converts a refusal to an error. `body` is the parsed answer and can be anything: a load balancer in between answers
 * with HTML. `retryAfterSeconds` comes from the header, which overrides the body.
 */
export function toKubeError(request: string, httpStatus: number, body: unknown, retryAfterSeconds?: number): TaskmillError {
  const status: StatusBody = typeof body === 'object' && body !== null ? body : {}
  const code = status.kind === 'Status' && typeof status.code === 'number' ? status.code : httpStatus
  const afterSeconds = retryAfterSeconds ?? status.details?.retryAfterSeconds
  const details: KubeErrorDetails = {
    status: code,
    ...(status.reason ? { reason: status.reason } : {}),
    causes: status.details?.causes ?? [],
    ...(afterSeconds ? { retryAfterSeconds: afterSeconds } : {}),
    request,
  }
  return taskmillError(codeFor(code, status.reason), status.message || `the API server answered ${code} to ${request}`, { details })
}

/** Returns the causes that the API server named for a refusal; empty for every other error. */
export function causesOf(error: TaskmillError): readonly StatusCause[] {
  return (error.details as Partial<KubeErrorDetails>).causes ?? []
}
