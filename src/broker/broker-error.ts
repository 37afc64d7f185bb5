import { errorMessage, taskmillError, type TaskmillError } from '../errors/index.ts'

const passingReplies = /^(LOADING|MASTERDOWN|READONLY|TRYAGAIN|CLUSTERDOWN|BUSY|NOREPLICAS|NOAUTH|WRONGPASS) /u
const connectionMessages =
  /^(Connection is closed|Stream isn't writeable|Reached the max retries|Command aborted|Socket timeout|Command timed out)/u
const deniedReplies = /^(NOAUTH|WRONGPASS|NOPERM|ERR invalid password|ERR Client sent AUTH)|The user executing the script can't run this/u

/** By the code or message that TLS fails with: what to look at. */
const tlsFailures: readonly (readonly [RegExp, string])[] = [
  [/ALTNAME_INVALID/u, 'its certificate is for another name: look at the TLS server name'],
  [/CERT_HAS_EXPIRED|CERT_NOT_YET_VALID/u, 'its certificate is not valid at this time'],
  [
    /SELF_SIGNED|UNABLE_TO_(GET_ISSUER|VERIFY)|CERT_UNTRUSTED/u,
    'no trusted authority signed its certificate: look at the TLS authority (CA)',
  ],
  [/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|UNKNOWN_PROTOCOL/u, 'it does not speak TLS on this port'],
  [
    /ALERT_CERTIFICATE_REQUIRED|ALERT_HANDSHAKE_FAILURE|ALERT_(BAD|UNKNOWN)_?C|ALERT_UNKNOWN_CA|DECRYPT_ERROR/u,
    'it asks for a client certificate that it trusts: look at the TLS certificate and key',
  ],
  [/PEM_|BAD_BASE64|KEY_VALUES_MISMATCH|NO_START_LINE|ERR_OSSL/u, 'the TLS authority, certificate or key given for it cannot be used'],
]

/** Says whether a later try can succeed: the connection broke, or the server says that it cannot answer for now. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error.name === 'ReplyError') return passingReplies.test(error.message)
  if (error.name === 'MaxRetriesPerRequestError' || error.name === 'AbortError' || connectionMessages.test(error.message)) return true
  return 'code' in error && typeof error.code === 'string' && /^(E[A-Z]+|TM_BROKER_UNREACHABLE)$/u.test(error.code)
}

/** Says whether the server refused the user: the credentials are wrong or missing, or the ACL does not allow the command. */
function isDenied(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError' && deniedReplies.test(error.message)
}

/** Removes what libraries attach to an error: the command with its arguments (passwords, payloads), and whole certificates. */
export function withoutAttachments<E>(error: E): E {
  if (error instanceof Error) for (const name of ['command', 'previousErrors', 'cert']) Reflect.deleteProperty(error, name)
  return error
}

/** Adds a hint about TLS to the error of a server that was never reached: it may expect TLS and get none, or the other way round. */
export function withTlsHint(error: Error, isTls: boolean): Error {
  const isCut = /ECONNRESET|EPIPE|was closed|no answer|ETIMEDOUT|socket disconnected/u.test(error.message)
  if (!isCut || (!isTls && /no answer|ETIMEDOUT/u.test(error.message))) return error
  const hint = isTls ? 'the server may not speak TLS, or may want a client certificate' : 'the server may expect TLS'
  return new Error(`${error.message}; ${hint}`, { cause: error })
}

export function unreachable(address: string, cause: unknown): TaskmillError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const [, hint] = tlsFailures.find(([pattern]) => pattern.test(code)) ?? []
  const why = hint === undefined ? errorMessage(cause) : `${hint} (${errorMessage(cause)})`
  return taskmillError('TM_BROKER_UNREACHABLE', `the broker at ${address} cannot be reached: ${why}`, {
    cause: withoutAttachments(cause),
    details: { address },
  })
}

function unauthorized(address: string, cause: unknown): TaskmillError {
  const reply = errorMessage(cause)
  const what = reply.startsWith('NOAUTH')
    ? 'asks for a password and was given none: name a Secret with it in credentialsSecretRef'
    : /NOPERM|The user executing/u.test(reply)
      ? "does not allow its user what is needed: look at the user's ACL"
      : 'does not accept the user name or password: look at the Secret in credentialsSecretRef'
  return taskmillError('TM_BROKER_UNAUTHORIZED', `the broker at ${address} ${what} (${reply})`, {
    cause: withoutAttachments(cause),
    details: { address },
  })
}

/** Returns the error of the port for a connection that could not be opened. */
export function connectionError(address: string, cause: unknown): TaskmillError {
  return isDenied(cause) ? unauthorized(address, cause) : unreachable(address, cause)
}

/** Returns the error of the port for a command that failed: unauthorized, unreachable, or refused. */
export function brokerError(address: string, error: unknown): TaskmillError {
  if (isDenied(error)) return unauthorized(address, error)
  if (isPassing(error)) return unreachable(address, error)
  return taskmillError('TM_BROKER_COMMAND_FAILED', `the broker at ${address} refused a command: ${errorMessage(error)}`, {
    cause: withoutAttachments(error),
    details: { address },
  })
}
