import { isDeepStrictEqual } from 'node:util'
import type { TaskBroker } from '../../api/index.ts'
import type { BrokerCredentials, BrokerEndpoint, BrokerTls } from '../../broker/index.ts'
import type { SecretCache, SecretReading, SecretValues } from '../secrets/index.ts'

/** `Unknown`: not resolved yet. `Blocked`: a Secret is missing or of no use; the message says which and what to do. */
export type BrokerState =
  | { readonly kind: 'Unknown' }
  | { readonly kind: 'Blocked'; readonly reason: 'SecretNotFound' | 'SecretForbidden' | 'SecretInvalid'; readonly message: string }
  | { readonly kind: 'Known'; readonly endpoint: BrokerEndpoint }

/**
 * The endpoint of each TaskBroker: its spec together with what its Secrets hold. Keys are `namespace/name` of the TaskBroker.
 *
 * Guarantees: the values of a Secret go into the endpoint and nowhere else; while the API server is away, the last endpoint stays.
 * Does not: connect. Only the broker can say whether it accepts the credentials.
 */
export type BrokerDirectory = {
  /**
   * Reads the Secrets and keeps the outcome; returns the same object as long as nothing has changed. `force`: reads also what was read less
   * than a minute ago (see `SecretCache`), because the broker refuses it. Rejects only if a Secret has never been read.
   */
  resolve(
    key: string,
    taskBroker: TaskBroker,
    options?: { readonly force?: boolean; readonly signal?: AbortSignal | undefined },
  ): Promise<BrokerState>
  /** The last outcome. */
  get(key: string): BrokerState
  /** Announces keys whose outcome has changed, until the returned function is called. */
  onChange(handler: (key: string) => void): () => void
  /** Call when the TaskBroker is gone. */
  forget(key: string): void
}

export type BrokerDirectoryDeps = { readonly secrets: SecretCache }

type Blocked = Extract<BrokerState, { readonly kind: 'Blocked' }>

export function createBrokerDirectory({ secrets }: BrokerDirectoryDeps): BrokerDirectory {
  const states = new Map<string, BrokerState>()
  const handlers = new Set<(key: string) => void>()
  const announce = (key: string) => handlers.forEach((handler) => handler(key))

  return {
    async resolve(key, taskBroker, { force = false, signal } = {}) {
      const state = await readState(secrets, taskBroker, force, signal)
      const before = states.get(key)
      if (before !== undefined && isDeepStrictEqual(before, state)) return before
      states.set(key, state)
      announce(key)
      return state
    },
    get: (key) => states.get(key) ?? { kind: 'Unknown' },
    onChange(handler) {
      handlers.add(handler)
      return () => void handlers.delete(handler)
    },
    forget(key) {
      if (states.delete(key)) announce(key)
    },
  }
}

async function readState(
  secrets: SecretCache,
  { metadata, spec }: TaskBroker,
  force: boolean,
  signal: AbortSignal | undefined,
): Promise<BrokerState> {
  const namespace = metadata.namespace ?? ''
  const names = [spec.credentialsSecretRef, spec.tls?.caSecretRef, spec.tls?.clientCertificateSecretRef].map((ref) => ref?.name)
  const readings = await Promise.all(
    names.map(async (name) => (name === undefined ? undefined : { name, reading: await secrets.read(namespace, name, { force, signal }) })),
  )
  for (const each of readings) {
    const blocked = each && unreadable(each.name, each.reading)
    if (blocked !== undefined) return blocked
  }
  const [credentials, ca, client] = readings.map((each) => each && { name: each.name, values: valuesOf(each.reading) })
  const fault =
    missingKey(credentials, 'password') ?? invalidPem(ca, 'ca.crt') ?? invalidPem(client, 'tls.crt') ?? invalidPem(client, 'tls.key')
  if (fault !== undefined) return fault
  return {
    kind: 'Known',
    endpoint: {
      address: spec.standalone.address,
      keyPrefix: spec.keyPrefix,
      ...(credentials === undefined ? {} : { credentials: credentialsOf(credentials.values) }),
      ...(spec.tls === undefined ? {} : { tls: tlsOf(ca?.values, client?.values, spec.tls.serverName) }),
    },
  }
}

/** A Secret that was read. */
type Found = { readonly name: string; readonly values: SecretValues } | undefined

function unreadable(name: string, reading: SecretReading): Blocked | undefined {
  if (reading.kind === 'Values') return undefined
  return reading.kind === 'Missing'
    ? { kind: 'Blocked', reason: 'SecretNotFound', message: `Secret "${name}" does not exist in this namespace. Next: create it` }
    : {
        kind: 'Blocked',
        reason: 'SecretForbidden',
        message: `Secret "${name}" cannot be read: ${reading.message}. Next: grant the operator the verb get on Secrets in this namespace`,
      }
}

function valuesOf(reading: SecretReading): SecretValues {
  return reading.kind === 'Values' ? reading.values : {}
}

function missingKey(found: Found, key: string): Blocked | undefined {
  if (found === undefined || (found.values[key] ?? '') !== '') return undefined
  return invalid(`Secret "${found.name}" has no key "${key}", or its value is empty. Next: add it`)
}

function invalidPem(found: Found, key: string): Blocked | undefined {
  const missing = missingKey(found, key)
  if (found === undefined || missing !== undefined) return missing
  if (found.values[key]?.includes('-----BEGIN ')) return undefined
  return invalid(`"${key}" of Secret "${found.name}" is not PEM. Next: store the text that starts with -----BEGIN`)
}

function invalid(message: string): Blocked {
  return { kind: 'Blocked', reason: 'SecretInvalid', message }
}

/** A line break at the end, which many editors add, belongs to no password. */
function credentialsOf({ username = '', password = '' }: SecretValues): BrokerCredentials {
  const user = withoutLineBreak(username)
  return { ...(user === '' ? {} : { username: user }), password: withoutLineBreak(password) }
}

function withoutLineBreak(value: string): string {
  return value.replace(/\r?\n$/u, '')
}

function tlsOf(ca: SecretValues | undefined, client: SecretValues | undefined, serverName: string | undefined): BrokerTls {
  return {
    ...(ca?.['ca.crt'] === undefined ? {} : { ca: ca['ca.crt'] }),
    ...(client?.['tls.crt'] === undefined ? {} : { cert: client['tls.crt'] }),
    ...(client?.['tls.key'] === undefined ? {} : { key: client['tls.key'] }),
    ...(serverName === undefined ? {} : { serverName }),
  }
}
