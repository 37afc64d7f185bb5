/** Starts the programs of the node in their order and waits until pods can run. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { apiRequest, isReady, waitUntil } from '../api-request.ts'
import type { ApiAccess } from '../api-request.ts'
import type { Binaries } from '../binaries.ts'
import { logTail } from '../child-server.ts'
import { run, tryRun } from '../command.ts'
import { apiServerArguments, apiServiceAddress, controllerManagerArguments, etcdArguments, schedulerArguments } from '../components.ts'
import { writeKubeconfig } from '../kubeconfig.ts'
import { apiServerNames, createAuthority } from '../pki.ts'
import type { KeyPair } from '../pki.ts'
import { isAlive, startDetached } from '../processes.ts'
import type { ProcessId } from '../processes.ts'
import type { Progress } from '../progress.ts'
import { adminAccess } from './access.ts'
import { auditPolicy, beginAuditLog } from './audit.ts'
import {
  cniConfiguration,
  containerdConfiguration,
  corednsConfiguration,
  kubeProxyConfiguration,
  kubeletConfiguration,
  pauseImage,
  writeConfiguration,
} from './configuration.ts'
import { applyDnsService } from './dns.ts'
import { hostAddress, nodeName, ports } from './layout.ts'
import type { Layout } from './layout.ts'
import { currentBootId, readState, writeState } from './state.ts'

const server = `https://127.0.0.1:${ports.api}`

export async function startNode(at: Layout, binaries: Binaries, pauseArchive: string, progress: Progress): Promise<void> {
  await progress.step('starting the cluster', { expectedSeconds: 10 }, async (report) => {
    const address = hostAddress()
    const processes = await openRecord(at, address)

    report.note('certificates')
    await Promise.all([at.logs, at.kubeconfigs, join(at.root, 'pod-logs')].map((folder) => mkdir(folder, { recursive: true })))
    await mkdir(at.etcd, { recursive: true, mode: 0o700 })
    const identity = await makeIdentities(at, address)
    await writeConfiguration(at.cni, { '10-taskmill.conflist': cniConfiguration() })
    await writeConfiguration(at.config, {
      'containerd.toml': containerdConfiguration(at),
      'kubelet.json': kubeletConfiguration(at, identity.authority),
      'kube-proxy.json': kubeProxyConfiguration(identity.kubeconfigs.proxy),
      Corefile: corednsConfiguration(identity.kubeconfigs.dns),
      'audit.json': auditPolicy(),
    })
    await beginAuditLog(at.auditLog)

    report.note('API server and container runtime')
    await processes.start('containerd', 'containerd', ['--config', join(at.config, 'containerd.toml')])
    await processes.start('etcd', binaries.etcd, etcdArguments({ dataFolder: at.etcd, clientPort: ports.etcd, peerPort: ports.etcdPeer }))
    const apiArguments = apiServerArguments({
      etcdPort: ports.etcd,
      port: ports.api,
      bindAddress: '0.0.0.0',
      advertiseAddress: address,
      authority: identity.authority,
      serving: identity.serving,
      kubeletClient: identity.admin,
      serviceAccount: identity.serviceAccount,
      audit: { policy: join(at.config, 'audit.json'), log: at.auditLog },
    })
    await processes.start('kube-apiserver', binaries.apiServer, apiArguments)
    const api = await adminAccess(at)
    const pause = loadPauseImage(at, pauseArchive)
    await Promise.all([processes.ready('kube-apiserver', 60_000, () => isReady(api)), pause])

    report.note('node')
    const { kubeconfigs } = identity
    const managerArguments = controllerManagerArguments({
      kubeconfig: kubeconfigs.controllerManager,
      authority: identity.authority,
      serviceAccount: identity.serviceAccount,
    })
    await processes.start('kube-controller-manager', binaries.controllerManager, managerArguments)
    // Times of the API have whole seconds.
    const kubeletStartedAtMs = Math.floor(Date.now() / 1000) * 1000
    await processes.start('kubelet', binaries.kubelet, [
      `--config=${join(at.config, 'kubelet.json')}`,
      `--kubeconfig=${kubeconfigs.kubelet}`,
      `--hostname-override=${nodeName}`,
      `--node-ip=${address}`,
      `--root-dir=${at.kubelet}`,
      `--cert-dir=${join(at.kubelet, 'pki')}`,
    ])
    await processes.start('kube-scheduler', binaries.scheduler, schedulerArguments(kubeconfigs.scheduler))
    await processes.start('kube-proxy', binaries.kubeProxy, [
      `--config=${join(at.config, 'kube-proxy.json')}`,
      `--hostname-override=${nodeName}`,
    ])
    await processes.start('coredns', binaries.coredns, ['-conf', join(at.config, 'Corefile')])
    await applyDnsService(api, address)
    await Promise.all([
      processes.ready('kubelet', 60_000, () => nodeIsReady(api, kubeletStartedAtMs)),
      processes.ready('coredns', 30_000, async () => (await fetch(`http://127.0.0.1:${ports.dnsReady}/ready`)).ok),
      processes.ready('kube-proxy', 30_000, async () => (await fetch('http://127.0.0.1:10256/livez')).ok),
      processes.ready(
        'kube-controller-manager',
        30_000,
        async () => (await apiRequest(api, 'GET', '/api/v1/namespaces/default/serviceaccounts/default')).status === 200,
      ),
    ])
    await writeKubeconfig(at.kubeconfig, { name: 'taskmill', server, authority: identity.authority, client: identity.admin })
  })
}

/** `sinceMs` asks for a heartbeat after that time: the status of a kubelet that was killed stays in etcd. */
export async function nodeIsReady(api: ApiAccess, sinceMs = 0): Promise<boolean> {
  const reply = await apiRequest(api, 'GET', `/api/v1/nodes/${nodeName}`)
  if (reply.status !== 200) return false
  const node = JSON.parse(reply.text) as { status?: { conditions?: NodeCondition[] } }
  const ready = node.status?.conditions?.find((condition) => condition.type === 'Ready')
  return ready?.status === 'True' && Date.parse(ready.lastHeartbeatTime) >= sinceMs
}

type NodeCondition = { readonly type: string; readonly status: string; readonly lastHeartbeatTime: string }

type Record = {
  start(name: string, command: string, args: readonly string[]): Promise<void>
  ready(name: string, withinMs: number, check: () => Promise<boolean>): Promise<void>
}

/** Every process is written down as soon as it runs, so that `down` finds it whatever happens next. */
async function openRecord(at: Layout, address: string): Promise<Record> {
  await mkdir(at.root, { recursive: true })
  const previous = await readState(at.state)
  const running: { [name: string]: ProcessId } = {}
  const log = (name: string): string => join(at.logs, `${name}.log`)
  return {
    start: async (name, command, args) => {
      running[name] = startDetached(command, args, log(name), processEnvironment())
      await writeState(at.state, { bootId: currentBootId(), hostAddress: address, processes: running, images: previous?.images ?? {} })
    },
    ready: async (name, withinMs, check) => {
      const id = running[name]
      const ended = (): boolean => id === undefined || !isAlive(id)
      const failure = async (cause?: unknown): Promise<Error> =>
        new Error(`${name} did not become ready:\n    ${await logTail(log(name), 5)}`, { cause })
      try {
        await waitUntil(name, withinMs, async () => ended() || (await check()))
      } catch (cause) {
        throw await failure(cause)
      }
      if (ended()) throw await failure()
    },
  }
}

/** Nothing of the caller's environment (proxies, tokens) belongs into processes that outlive the command. */
function processEnvironment(): NodeJS.ProcessEnv {
  return { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`, HOME: '/root' }
}

type Identities = {
  readonly authority: KeyPair
  readonly serving: KeyPair
  readonly admin: KeyPair
  readonly serviceAccount: KeyPair
  readonly kubeconfigs: {
    readonly controllerManager: string
    readonly scheduler: string
    readonly kubelet: string
    readonly proxy: string
    readonly dns: string
  }
}

async function makeIdentities(at: Layout, address: string): Promise<Identities> {
  const authority = await createAuthority(at.pki)
  const names = apiServerNames(['127.0.0.1', apiServiceAddress, address], [nodeName])
  const client = async (name: string, subject: string): Promise<string> => {
    const pair = await authority.issue(name, subject)
    return writeKubeconfig(join(at.kubeconfigs, name), { name, server, authority: authority.files, client: pair })
  }
  const [serving, admin, serviceAccount, controllerManager, scheduler, kubelet, proxy, dns] = await Promise.all([
    // Named by the address: a machine that got another one needs another certificate.
    authority.issue(`api-server-${address}`, '/CN=kube-apiserver', names),
    authority.issue('admin', '/O=system:masters/CN=admin'),
    authority.issue('service-account', '/CN=service-account'),
    client('controller-manager', '/CN=system:kube-controller-manager'),
    client('scheduler', '/CN=system:kube-scheduler'),
    client('kubelet', `/O=system:nodes/CN=system:node:${nodeName}`),
    client('proxy', '/CN=system:kube-proxy'),
    client('dns', '/O=system:masters/CN=coredns'),
  ])
  return { authority: authority.files, serving, admin, serviceAccount, kubeconfigs: { controllerManager, scheduler, kubelet, proxy, dns } }
}

async function loadPauseImage(at: Layout, archive: string): Promise<void> {
  const ctr = ['-a', at.containerdSocket, '-n', 'k8s.io']
  await waitUntil('containerd', 20_000, async () => (await tryRun('ctr', [...ctr, 'version'])).code === 0)
  const listed = await run('ctr', [...ctr, 'images', 'ls', '-q', `name==${pauseImage}`])
  if (!listed.includes(pauseImage)) await run('ctr', [...ctr, 'images', 'import', archive])
}
