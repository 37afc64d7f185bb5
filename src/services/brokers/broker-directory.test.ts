import { expect, test } from 'vitest'
import type { TaskBroker } from '../../api/index.ts'
import { fakeClock } from '../../clock/index.ts'
import { taskmillError } from '../../errors/index.ts'
import { silentLogger } from '../../observability/index.ts'
import { createBrokerDirectory } from './broker-directory.ts'
import { fingerprintOf } from './brokers.ts'
import { createSecretCache } from '../secrets/index.ts'

const pem = '-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n'

const setup = (spec: Partial<TaskBroker['spec']> = { credentialsSecretRef: { name: 'auth' } }) => {
  const clock = fakeClock()
  const stored = new Map<string, Record<string, string>>([['acme/auth', { username: 'app', password: 'one\n' }]])
  const state = { failure: undefined as Error | undefined, reads: 0 }
  const changes: string[] = []
  const secrets = createSecretCache({
    async readSecret(namespace, name) {
      state.reads++
      if (state.failure) throw state.failure
      return stored.get(`${namespace}/${name}`)
    },
    clock,
    log: silentLogger,
  })
  const directory = createBrokerDirectory({ secrets })
  directory.onChange((key) => changes.push(key))
  const broker = {
    metadata: { namespace: 'acme', name: 'default' },
    spec: { standalone: { address: 'redis:6379' }, keyPrefix: 'bull', dispatch: 'Active', ...spec },
  } as TaskBroker
  const resolve = (force = false) => directory.resolve('acme/default', broker, { force })
  return { clock, stored, state, changes, directory, resolve }
}
const known = (password: string) => ({
  kind: 'Known',
  endpoint: { address: 'redis:6379', keyPrefix: 'bull', credentials: { username: 'app', password } },
})

test('a Secret is read once a minute, and changes are announced', async () => {
  const { clock, stored, state, changes, directory, resolve } = setup()
  expect(directory.get('acme/default')).toEqual({ kind: 'Unknown' })
  expect(await resolve()).toEqual(known('one'))
  stored.set('acme/auth', { username: 'app', password: 'two' })
  await clock.advance(59_999)
  expect(await resolve()).toEqual(known('one'))
  expect([state.reads, changes]).toEqual([1, ['acme/default']])
  await clock.advance(1)
  expect(await resolve()).toEqual(known('two'))
  expect([state.reads, changes.length, directory.get('acme/default')]).toEqual([2, 2, known('two')])
})

test('a forced read is immediate; after forced reads that brought nothing new, the next waits ever longer', async () => {
  const { clock, stored, state, resolve } = setup()
  await resolve()
  const readsAfter = async (ms: number) => {
    await clock.advance(ms)
    await resolve(true)
    return state.reads
  }
  expect([await readsAfter(0), await readsAfter(1_999), await readsAfter(1), await readsAfter(3_999), await readsAfter(1)]).toEqual([
    2, 2, 3, 3, 4,
  ])
  stored.set('acme/auth', { username: 'app', password: 'two' })
  expect(await readsAfter(8_000)).toBe(5)
  expect(await readsAfter(0)).toBe(6)
})

test('a missing Secret is looked for each time', async () => {
  const { stored, resolve } = setup({ credentialsSecretRef: { name: 'later' } })
  expect(await resolve()).toMatchObject({
    kind: 'Blocked',
    reason: 'SecretNotFound',
    message: 'Secret "later" does not exist in this namespace. Next: create it',
  })
  stored.set('acme/later', { password: 'x' })
  expect(await resolve()).toMatchObject({ kind: 'Known', endpoint: { credentials: { password: 'x' } } })
})

test('while the API server is away the last values stay; a Secret that was never read is an error', async () => {
  const { clock, state, resolve } = setup()
  state.failure = taskmillError('TM_KUBE_UNAVAILABLE', 'away')
  await expect(resolve()).rejects.toMatchObject({ code: 'TM_KUBE_UNAVAILABLE' })
  state.failure = undefined
  await resolve()
  state.failure = taskmillError('TM_KUBE_UNAVAILABLE', 'away')
  await clock.advance(120_000)
  expect(await resolve()).toEqual(known('one'))
  state.failure = taskmillError('TM_KUBE_FORBIDDEN', 'no get')
  expect(await resolve()).toMatchObject({ kind: 'Blocked', reason: 'SecretForbidden', message: expect.stringContaining('no get') })
})

test.each([
  [{ credentialsSecretRef: { name: 's' } }, {}, 'Secret "s" has no key "password", or its value is empty. Next: add it'],
  [{ credentialsSecretRef: { name: 's' } }, { password: '' }, 'Secret "s" has no key "password", or its value is empty. Next: add it'],
  [
    { tls: { caSecretRef: { name: 's' } } },
    { 'ca.crt': 'MII' },
    '"ca.crt" of Secret "s" is not PEM. Next: store the text that starts with -----BEGIN',
  ],
  [
    { tls: { clientCertificateSecretRef: { name: 's' } } },
    { 'tls.crt': pem },
    'Secret "s" has no key "tls.key", or its value is empty. Next: add it',
  ],
])('%o with %o blocks the broker', async (spec, values, message) => {
  const { stored, resolve } = setup(spec)
  stored.set('acme/s', values)
  expect(await resolve()).toEqual({ kind: 'Blocked', reason: 'SecretInvalid', message })
})

test('TLS is what the spec and its Secrets say', async () => {
  const { stored, resolve } = setup({
    tls: { caSecretRef: { name: 'ca' }, clientCertificateSecretRef: { name: 'me' }, serverName: 'redis.acme' },
  })
  stored.set('acme/ca', { 'ca.crt': pem, other: 'x' })
  stored.set('acme/me', { 'tls.crt': pem, 'tls.key': pem })
  expect(await resolve()).toMatchObject({ endpoint: { tls: { ca: pem, cert: pem, key: pem, serverName: 'redis.acme' } } })
  expect(await setup({ tls: {} }).resolve()).toMatchObject({ endpoint: { tls: {} } })
})

test('a forgotten broker is announced once', async () => {
  const { changes, directory, resolve } = setup()
  await resolve()
  directory.forget('acme/default')
  directory.forget('acme/default')
  expect([directory.get('acme/default'), changes.length]).toEqual([{ kind: 'Unknown' }, 2])
})

test('a fingerprint differs with everything that makes another connection, and contains no password', () => {
  const base = { address: 'redis:6379', keyPrefix: 'bull' }
  const endpoints = [
    base,
    { ...base, keyPrefix: 'other' },
    { ...base, credentials: { password: 'secret' } },
    { ...base, credentials: { username: 'u', password: 'secret' } },
    { ...base, tls: {} },
    { ...base, tls: { serverName: 'x' } },
  ]
  const prints = endpoints.map(fingerprintOf)
  expect(new Set(prints).size).toBe(endpoints.length)
  expect(prints.join()).not.toContain('secret')
  expect(fingerprintOf({ ...base, credentials: { password: 'secret' } })).toBe(prints[2])
})
