import { expect, it } from 'vitest'
import type { AlertChannel } from '../../api/index.ts'
import { fakeClock } from '../../clock/index.ts'
import { silentLogger } from '../../observability/index.ts'
import { createDelivery, type HttpPost } from './delivery.ts'
import { createSecretCache } from '../secrets/index.ts'

const secretUrl = 'https://hooks.acme.dev/T0/s3cr3t'

function home(spec: Partial<AlertChannel['spec']>, post: HttpPost) {
  const stored = new Map([
    ['a/hook', { url: `${secretUrl}\n`, word: 'hunter2', login: 'https://me:pw@acme.dev' } as Record<string, string>],
  ])
  const secrets = createSecretCache({
    readSecret: async (namespace, name) => stored.get(`${namespace}/${name}`),
    clock: fakeClock(),
    log: silentLogger,
  })
  const channel = {
    apiVersion: 'taskmill.dev/v1alpha1',
    kind: 'AlertChannel',
    metadata: { namespace: 'a', name: 'oncall' },
    spec: { minimumSeverity: 'Info', sendResolved: true, ...spec },
  } as AlertChannel
  const deliver = createDelivery({ channelOf: (key) => (key === 'a/oncall' ? channel : undefined), secrets, post, log: silentLogger })
  const notification = { channel: 'a/oncall', alert: 'a/mail', sequence: 3, id: 'u/3', body: { state: 'firing' } }
  return { stored, send: (isAgain = false) => deliver(notification, { isAgain, signal: new AbortController().signal }) }
}

const answers =
  (status: number): HttpPost =>
  async () =>
    status
const fails =
  (code: string): HttpPost =>
  async () => {
    throw new TypeError(`fetch failed: ${secretUrl}`, { cause: Object.assign(new Error(`getaddrinfo ${code} hooks.acme.dev`), { code }) })
  }
const webhook = { webhook: { url: 'http://10.0.0.7:8080/alerts' } }
const bySecret = (key: string, name = 'hook') => ({ webhook: { urlSecretRef: { name, key } } })

it('posts JSON with the key that tells repetitions', async () => {
  const seen: Parameters<HttpPost>[] = []
  const { send } = home(webhook, async (...request) => {
    seen.push(request)
    return 202
  })
  expect(await send()).toEqual({ ok: true })
  expect(seen).toMatchObject([
    [
      'http://10.0.0.7:8080/alerts',
      { body: '{"state":"firing"}', headers: { 'content-type': 'application/json', 'idempotency-key': 'u/3' } },
    ],
  ])
})

it('writes into the log where that is the channel', async () => {
  expect(await home({ log: {} }, answers(500)).send()).toEqual({ ok: true })
})

it.each<[string, Partial<AlertChannel['spec']>, HttpPost, string]>([
  ['an error', webhook, answers(500), 'HTTP 500'],
  ['a redirect', webhook, answers(302), 'HTTP 302'],
  ['nobody there', bySecret('url'), fails('ECONNREFUSED'), 'connection refused'],
  ['no such host', bySecret('url'), fails('ENOTFOUND'), 'the host name cannot be resolved (ENOTFOUND)'],
  ['a cut', bySecret('url'), fails('UND_ERR_SOCKET'), 'the connection was cut'],
  ['a stranger', bySecret('url'), fails('ERR_TLS_CERT_ALTNAME_INVALID'), 'TLS failed (ERR_TLS_CERT_ALTNAME_INVALID)'],
  ['something else', bySecret('url'), fails('EPROTO'), 'the request failed (EPROTO)'],
  ['something without a name', bySecret('url'), fails(secretUrl), 'the request failed'],
  ['a Secret that is missing', bySecret('url', 'none'), answers(200), 'Secret "none" does not exist in this namespace. Next: create it'],
  ['a key that is missing', bySecret('none'), answers(200), 'Secret "hook" has no key "none", or its value is empty. Next: add it'],
  [
    'a Secret that holds no URL',
    bySecret('word'),
    answers(200),
    '"word" of Secret "hook" is not an http:// or https:// URL without user name and password. Next: correct it',
  ],
  [
    'a URL with a password',
    bySecret('login'),
    answers(200),
    '"login" of Secret "hook" is not an http:// or https:// URL without user name and password. Next: correct it',
  ],
])('says of %s what it is, and nothing of what is secret', async (_, spec, post, message) => {
  const attempt = await home(spec, post).send()
  expect(attempt).toEqual({ ok: false, message })
  expect(JSON.stringify(attempt)).not.toMatch(/s3cr3t|acme\.dev|hunter2|pw@/u)
})

it('reads the Secret again after a failure', async () => {
  const urls: string[] = []
  const { stored, send } = home(bySecret('url'), async (url) => {
    urls.push(url)
    return url === secretUrl ? 403 : 200
  })
  expect(await send()).toMatchObject({ ok: false })
  stored.set('a/hook', { url: 'https://hooks.acme.dev/T0/new' })
  expect(await send()).toMatchObject({ ok: false })
  expect(await send(true)).toEqual({ ok: true })
  expect(urls).toEqual([secretUrl, secretUrl, 'https://hooks.acme.dev/T0/new'])
})
