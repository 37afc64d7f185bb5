import { expect, test } from 'vitest'
import { fakeClock } from '../clock/index.ts'
import { loadKubeConfig } from './index.ts'

const folder = '/var/run/secrets/kubernetes.io/serviceaccount'
const filesOf = (files: Record<string, string>) => async (path: string) => {
  const text = files[path]
  if (text === undefined) throw new Error(`no such file ${path}`)
  return text
}
const base64 = (text: string) => Buffer.from(text).toString('base64')

const kubeconfig = (over: { user?: object; cluster?: object; context?: object; current?: string } = {}) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': over.current ?? 'dev',
    contexts: [{ name: 'dev', context: { cluster: 'c', user: 'u', ...over.context } }],
    clusters: [{ name: 'c', cluster: { server: 'https://10.0.0.1:6443', 'certificate-authority-data': base64('CA'), ...over.cluster } }],
    users: [{ name: 'u', user: over.user ?? { 'client-certificate-data': base64('CERT'), 'client-key-data': base64('KEY') } }],
  })

test('in a pod: the service account, whose token and authority are read again each minute', async () => {
  const clock = fakeClock()
  const files: Record<string, string> = { [`${folder}/ca.crt`]: 'CA', [`${folder}/namespace`]: 'ops\n', [`${folder}/token`]: 'first\n' }
  const config = await loadKubeConfig({
    env: { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443', HOME: '/' },
    readFile: filesOf(files),
    clock,
  })
  expect(config).toMatchObject({ server: 'https://10.96.0.1:443', namespace: 'ops' })
  const now = (fresh = false) => config.credentials?.({ fresh })
  expect(await now()).toEqual({ ca: 'CA', token: 'first' })
  files[`${folder}/token`] = 'second'
  files[`${folder}/ca.crt`] = 'CA 2'
  await clock.advance(59_999)
  expect((await now())?.token).toBe('first')
  await clock.advance(1)
  expect(await now()).toEqual({ ca: 'CA 2', token: 'second' })
  // What cannot be read now stays, and is read again by the next call.
  delete files[`${folder}/token`]
  await clock.advance(60_000)
  expect((await now())?.token).toBe('second')
  files[`${folder}/token`] = 'third'
  expect((await now())?.token).toBe('third')
  files[`${folder}/token`] = 'fourth'
  expect([(await now())?.token, (await now(true))?.token, (await now())?.token]).toEqual(['third', 'fourth', 'fourth'])
})

test('an IPv6 service address', async () => {
  const readFile = filesOf({ [`${folder}/ca.crt`]: 'CA', [`${folder}/namespace`]: 'ops', [`${folder}/token`]: 't' })
  const config = await loadKubeConfig({
    env: { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' },
    readFile,
    clock: fakeClock(),
  })
  expect(config.server).toBe('https://[fd00::1]:443')
})

test('KUBECONFIG comes first: certificates', async () => {
  const readFile = filesOf({ '/k/config': kubeconfig({ context: { namespace: 'shop' } }) })
  const config = await loadKubeConfig({
    env: { KUBECONFIG: '/k/config', KUBERNETES_SERVICE_HOST: 'h', KUBERNETES_SERVICE_PORT: '1' },
    readFile,
    clock: fakeClock(),
  })
  expect(config).toMatchObject({ server: 'https://10.0.0.1:6443', namespace: 'shop' })
  expect(await config.credentials?.({ fresh: false })).toEqual({ ca: 'CA', cert: 'CERT', key: 'KEY' })
})

test('~/.kube/config comes last: a token, a server of another name, no verification', async () => {
  const readFile = filesOf({
    '/home/me/.kube/config': kubeconfig({ user: { token: 'T' }, cluster: { 'tls-server-name': 'api', 'insecure-skip-tls-verify': true } }),
  })
  const config = await loadKubeConfig({ env: { HOME: '/home/me' }, readFile, clock: fakeClock() })
  expect(config).toMatchObject({ servername: 'api', insecureSkipTlsVerify: true, namespace: 'default' })
  expect((await config.credentials?.({ fresh: false }))?.token).toBe('T')
})

test('an exec plugin provides the token', async () => {
  const credential = JSON.stringify({
    apiVersion: 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    status: { token: 'from-plugin' },
  })
  const user = {
    exec: {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: process.execPath,
      args: ['-e', `console.log(${JSON.stringify(credential)})`],
      interactiveMode: 'Never',
    },
  }
  const config = await loadKubeConfig({
    env: { KUBECONFIG: '/k/config' },
    readFile: filesOf({ '/k/config': kubeconfig({ user }) }),
    clock: fakeClock(),
  })
  expect((await config.credentials?.({ fresh: false }))?.token).toBe('from-plugin')
})

test('several files are merged; the first one names the context', async () => {
  const second = JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'x',
    contexts: [],
    clusters: [{ name: 'far', cluster: { server: 'https://far:1' } }],
    users: [],
  })
  const readFile = filesOf({ '/a': kubeconfig({ context: { cluster: 'far' } }), '/b': second })
  const config = await loadKubeConfig({ env: { KUBECONFIG: '/a:/b' }, readFile, clock: fakeClock() })
  expect(config.server).toBe('https://far:1')
  expect((await config.credentials?.({ fresh: false }))?.cert).toBe('CERT')
})

test.each<[string, Record<string, string>, Record<string, string>, string]>([
  ['nothing', {}, {}, 'KUBECONFIG is not set'],
  ['a file that is missing', { KUBECONFIG: '/k' }, {}, 'no such file /k'],
  ['a file that is no kubeconfig', { KUBECONFIG: '/k' }, { '/k': 'hello' }, 'cannot use'],
  ['a context that is missing', { KUBECONFIG: '/k' }, { '/k': kubeconfig({ current: 'prod' }) }, 'context "prod"'],
  ['a proxy', { KUBECONFIG: '/k' }, { '/k': kubeconfig({ cluster: { 'proxy-url': 'http://p' } }) }, 'proxy-url is not supported'],
  ['a pod without a service account', { KUBERNETES_SERVICE_HOST: 'h', KUBERNETES_SERVICE_PORT: '1' }, {}, 'no such file'],
])('%s is an error with a message', async (_, env, files, message) => {
  await expect(loadKubeConfig({ env, readFile: filesOf(files), clock: fakeClock() })).rejects.toMatchObject({
    code: 'TM_KUBE_CONFIG_INVALID',
    message: expect.stringContaining(message),
  })
})
