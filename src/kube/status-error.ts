import {
  type ErrorCode,
  isFaultOfContent,
  type KubeErrorDetails,
  type StatusCause,
  taskmillError,
  type TaskmillError,
} from '../errors/index.ts'

/** The API server's `Status` object, as far as it is used. */
type StatusBody = {
  readonly kind?: string
  readonly message?: string
  readonly reason?: string
  readonly code?: number
  readonly details?: { readonly causes?: readonly StatusCause[]; readonly retryAfterSeconds?: number }
}

/** Server-side apply answers 500 for content that does not fit the schema, which is a fault of the request like any other. */
function codeFor(status: number, reason: string | undefined, message: string): ErrorCode {
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
      if (status < 500) return 'TM_KUBE_BAD_RESPONSE'
      return isFaultOfContent(message) ? 'TM_KUBE_INVALID' : 'TM_KUBE_UNAVAILABLE'
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
  return taskmillError(
    codeFor(code, status.reason, status.message ?? ''),
    status.message || `the API server answered ${code} to ${request}`,
    { details },
  )
}

/** Returns the causes that the API server named for a refusal; empty for every other error. */
export function causesOf(error: TaskmillError): readonly StatusCause[] {
  return (error.details as Partial<KubeErrorDetails>).causes ?? []
}
