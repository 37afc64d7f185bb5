/** Credentials that change while a client runs: files are replaced, the real API server judges. */
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startControlPlane, type ControlPlane } from '../../hack/cluster/control-plane.ts'
import { apiServerNames, createAuthority, type Authority } from '../../hack/cluster/pki.ts'
import type { KubeObject, Resource } from '../../src/api/index.ts'
import { fakeClock, sleep, systemClock, type FakeClock } from '../../src/clock/index.ts'
import { createKubeClient, loadKubeConfig, type KubeClient } from '../../src/kube/index.ts'

type Review = KubeObject & { readonly status?: { readonly userInfo: { readonly username?: string } } }
const reviews: Resource<Review> = {
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectReview',
  plural: 'selfsubjectreviews',
  namespaced: false,
}
const accounts: Resource<KubeObject> = { group: '', version: 'v1', kind: 'ServiceAccount', plural: 'serviceaccounts', namespaced: true }
const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount'
const accountOf = (name: string): string => `system:serviceaccount:default:${name}`

let cluster: ControlPlane
let mounted: string
let files: string
let authority: Authority

/** Who the API server takes us for. */
const whoAmI = async (client: KubeClient): Promise<string | undefined> =>
  (await client.create(reviews, { metadata: { name: '' } }, { fieldManager: 'test' })).status?.userInfo.username

/** Several calls at once: more than the connections that are open already. */
const several = (client: KubeClient): Promise<PromiseSettledResult<string>[]> =>
  Promise.allSettled(Array.from({ length: 8 }, () => client.raw('/version')))

const port = (): number => Number(new URL(cluster.server).port)

/** The serial number of the certificate that the server shows to new connections. */
const shownSerial = (): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: port(), rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().serialNumber)
      socket.destroy()
    })
    socket.on('error', reject)
  })

/** Puts another certificate in the place of the server's. */
async function replaceServingCertificate(by: Authority, name: string): Promise<void> {
  const pair = await by.issue(name, '/CN=kube-apiserver', apiServerNames(['127.0.0.1']))
  await cp(pair.key, join(cluster.folder, 'pki/api-server.key'))
  await cp(pair.cert, join(cluster.folder, 'pki/api-server.crt'))
}

/** As a pod that mounts the files of `mounted`, on a clock that stands still. */
async function inPod(clock: FakeClock): Promise<KubeClient> {
  const config = await loadKubeConfig({
    env: { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: `${port()}` },
    readFile: (path) => readFile(path.replace(serviceAccount, mounted), 'utf8'),
    clock,
  })
  return createKubeClient({ ...config, clock: systemClock })
}

/** With a kubeconfig that names the certificates in `files`. */
async function withFiles(clock: FakeClock): Promise<KubeClient> {
  const kubeconfig = {
    'current-context': 'files',
    contexts: [{ name: 'files', context: { cluster: 'c', user: 'u' } }],
    clusters: [{ name: 'c', cluster: { server: cluster.server, 'certificate-authority': 'ca.crt' } }],
    users: [{ name: 'u', user: { 'client-certificate': 'client.crt', 'client-key': 'client.key' } }],
  }
  await writeFile(join(files, 'config'), JSON.stringify(kubeconfig))
  const config = await loadKubeConfig({
    env: { KUBECONFIG: join(files, 'config') },
    readFile: (path) => readFile(path, 'utf8'),
    clock,
  })
  return createKubeClient({ ...config, clock: systemClock })
}

beforeAll(async () => {
  cluster = await startControlPlane({ controllerManager: true })
  authority = await createAuthority(join(cluster.folder, 'pki'))
  mounted = join(cluster.folder, 'mounted')
  files = join(cluster.folder, 'files')
  await Promise.all([mkdir(mounted), mkdir(files)])
  await writeFile(join(files, 'ca.crt'), cluster.ca)
  await writeFile(join(files, 'client.crt'), cluster.cert)
  await writeFile(join(files, 'client.key'), cluster.key)
  await cluster.request('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'other' } })
  await writeFile(join(mounted, 'namespace'), 'default')
  await writeFile(join(mounted, 'ca.crt'), cluster.ca)
  await writeFile(join(mounted, 'token'), await cluster.serviceAccountToken('default', 'default'))
})

afterAll(() => cluster?.stop())

test('a token that was replaced is used from the next minute on, and at once when the old one is refused', async () => {
  const clock = fakeClock()
  const client = await inPod(clock)
  expect(await whoAmI(client)).toBe(accountOf('default'))
  await writeFile(join(mounted, 'token'), await cluster.serviceAccountToken('default', 'other'))
  expect(await whoAmI(client)).toBe(accountOf('default'))
  await clock.advance(60_000)
  expect(await whoAmI(client)).toBe(accountOf('other'))

  await writeFile(join(mounted, 'token'), 'void')
  await clock.advance(60_000)
  await expect(whoAmI(client)).rejects.toMatchObject({ code: 'TM_KUBE_UNAUTHORIZED' })
  await writeFile(join(mounted, 'token'), await cluster.serviceAccountToken('default', 'default'))
  expect(await whoAmI(client)).toBe(accountOf('default'))
  await client.close()
})

test('the server may come back with another certificate', async () => {
  const client = await inPod(fakeClock())
  await client.raw('/version')
  const before = await shownSerial()
  await replaceServingCertificate(authority, 'renewed')
  await cluster.restartApiServer()
  expect(await shownSerial()).not.toBe(before)
  expect((await several(client)).map(({ status }) => status)).not.toContain('rejected')
  await client.close()
})

test('and even change its authority: open requests continue, and after the first connection that fails the new bundle is read', async () => {
  const [pod, admin, late] = await Promise.all([inPod(fakeClock()), withFiles(fakeClock()), withFiles(fakeClock())])
  await pod.raw('/version')
  const watch = admin.watch(accounts, { namespace: 'default', fieldSelector: 'metadata.name=late', timeoutSeconds: 120 })
  expect((await watch.next()).value).toMatchObject({ type: 'BOOKMARK' })
  const foreign = await createAuthority(join(cluster.folder, 'foreign'))
  const before = await shownSerial()
  await replaceServingCertificate(foreign, 'foreign')
  // The server looks at its files by itself.
  while ((await shownSerial()) === before) await sleep(systemClock, 100)
  await expect(late.raw('/version')).rejects.toMatchObject({ code: 'TM_KUBE_UNAVAILABLE' })
  for (const file of [join(mounted, 'ca.crt'), join(files, 'ca.crt')]) await cp(foreign.files.cert, file)
  for (const client of [pod, admin, late]) {
    // Of these some fail, unless they resume a session that was verified before.
    await several(client)
    expect((await several(client)).map(({ status }) => status)).not.toContain('rejected')
  }
  await admin.create(accounts, { metadata: { namespace: 'default', name: 'late' } }, { fieldManager: 'test' })
  expect((await watch.next()).value).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'late' } } })
  await Promise.all([pod.close(), admin.close(), late.close()])
})

test('the files of a client certificate may be replaced one after the other', async () => {
  const clock = fakeClock()
  const client = await withFiles(clock)
  expect(await whoAmI(client)).toBe('admin')
  const next = await authority.issue('next', '/CN=next')
  await cp(next.cert, join(files, 'client.crt'))
  await clock.advance(60_000)
  // The new certificate and the old key do not fit together.
  expect(await whoAmI(client)).toBe('admin')
  await cp(next.key, join(files, 'client.key'))
  await clock.advance(60_000)
  expect(await whoAmI(client)).toBe('next')
  await client.close()
})
