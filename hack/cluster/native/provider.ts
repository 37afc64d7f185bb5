/**
 * A real one-node cluster from host processes, without Docker and without a registry: containerd,
 * etcd, the control plane, kubelet, kube-proxy and CoreDNS. Needs Linux and root; one per machine.
 */
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isReady } from '../api-request.ts'
import { ensureBinaries } from '../binaries.ts'
import { lock } from '../cache.ts'
import { isFree } from '../ports.ts'
import { stopProcesses } from '../processes.ts'
import type { Progress } from '../progress.ts'
import type { ClusterProvider, ClusterStatus } from '../provider.ts'
import { adminAccess } from './access.ts'
import { beginAuditLog } from './audit.ts'
import { removeFirewallRules } from './firewall.ts'
import { loadImage } from './images.ts'
import { hostAddress, layout, networkName, nodeName, ports } from './layout.ts'
import type { Layout } from './layout.ts'
import { nodeIsReady, startNode } from './node.ts'
import { pauseArchive } from './pause-image.ts'
import { findProcesses, removeControlGroups, removeKubeletTraces, removeNetworkLeases, removeShimTraces, unmountAll } from './remains.ts'
import { aliveProcesses, currentBootId, deadProcesses, readState } from './state.ts'

const patienceMs = 15_000
const programs = ['containerd', 'ctr', 'runc', 'iptables', 'conntrack', 'openssl', 'setpriv', 'mount', 'tar']

export function createNativeProvider(env: NodeJS.ProcessEnv = process.env): ClusterProvider {
  const at = layout(env)
  return {
    name: 'native',
    kubeconfig: at.kubeconfig,
    auditLog: at.auditLog,
    unavailable,
    up: (progress) => locked(at, () => up(at, progress)),
    status: () => status(at),
    down: (progress) => locked(at, () => down(at, progress)),
    loadImage: (archive, name, progress) => locked(at, () => loadImage(at, archive, name, progress)),
  }
}

async function locked<T>(at: Layout, work: () => Promise<T>): Promise<T> {
  const release = await lock(at.root)
  try {
    return await work()
  } finally {
    await release()
  }
}

async function unavailable(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'it needs Linux'
  if (process.getuid?.() !== 0) return 'it needs root'
  const folders = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`.split(':')
  const missing = programs.filter((program) => !folders.some((folder) => existsSync(join(folder, program))))
  if (!existsSync('/usr/lib/cni/ptp')) missing.push('containernetworking-plugins')
  return missing.length === 0 ? undefined : `missing: ${missing.join(', ')} (hack/setup.sh system installs them on Debian)`
}

async function status(at: Layout): Promise<ClusterStatus> {
  const state = await readState(at.state)
  if (state === undefined)
    return findProcesses(at.root).length === 0 ? { state: 'down' } : { state: 'broken', detail: 'processes without a state file' }
  const dead = deadProcesses(state, currentBootId())
  if (dead.length > 0) return { state: 'broken', detail: `not running: ${dead.join(', ')}` }
  if (state.hostAddress !== hostAddress()) return { state: 'broken', detail: `the host's address is no longer ${state.hostAddress}` }
  try {
    const api = await adminAccess(at)
    if (!(await isReady(api))) return { state: 'broken', detail: 'the API server is not ready' }
    if (!(await nodeIsReady(api))) return { state: 'broken', detail: 'the node is not Ready' }
  } catch (cause) {
    return { state: 'broken', detail: `the API server does not answer: ${(cause as Error).message}` }
  }
  return { state: 'up', detail: `node ${nodeName}, ${Object.keys(state.processes).length} processes, ${state.hostAddress}:${ports.api}` }
}

/** A busy machine answers late: a cluster that runs gets the time to do so before it is repaired under its users. */
async function settledStatus(at: Layout): Promise<ClusterStatus> {
  const deadlineMs = Date.now() + patienceMs
  for (;;) {
    const now = await status(at)
    const state = await readState(at.state)
    const runs = state !== undefined && deadProcesses(state, currentBootId()).length === 0 && state.hostAddress === hostAddress()
    if (now.state !== 'broken' || !runs || Date.now() > deadlineMs) return now
    await sleep(1000)
  }
}

async function up(at: Layout, progress: Progress): Promise<void> {
  const now = await settledStatus(at)
  if (now.state === 'up') return beginAuditLog(at.auditLog)
  if (now.state === 'broken') progress.line(`  repairing the cluster: ${now.detail}`)
  const binaries = await ensureBinaries(progress)
  const pause = await pauseArchive(binaries.pause, progress)
  const hadData = existsSync(at.etcd)
  await stopEverything(at)
  await refuseTakenPorts()
  try {
    await startNode(at, binaries, pause, progress)
  } catch (cause) {
    if (!hadData) throw cause
    // Objects of a cluster that was killed are worth one attempt; a cluster that starts is worth more.
    progress.line(`  what was left of the previous cluster does not start, making a new one (${(cause as Error).message.split('\n')[0]})`)
    await removeEverything(at)
    await startNode(at, binaries, pause, progress)
  }
}

async function refuseTakenPorts(): Promise<void> {
  const names = Object.entries(ports)
  const free = await Promise.all(names.map(([, port]) => isFree(port)))
  const taken = names.filter((_, index) => free[index] === false).map(([name, port]) => `${port} (${name})`)
  if (taken.length > 0) throw new Error(`other processes use ports that the cluster needs: ${taken.join(', ')}`)
}

async function down(at: Layout, progress: Progress): Promise<void> {
  if (!existsSync(at.root) && findProcesses(at.root).length === 0) return
  await progress.step('taking the cluster down', { expectedSeconds: 3 }, () => removeEverything(at))
}

/** Ends all processes, containers included, and keeps the data. */
async function stopEverything(at: Layout): Promise<void> {
  const state = await readState(at.state)
  const recorded = state === undefined ? [] : aliveProcesses(state, currentBootId())
  // The kubelet and its like first and at once, so that nothing starts what is being ended.
  await stopProcesses(recorded, 0)
  for (let round = 0; round < 3; round += 1) {
    const left = findProcesses(at.root)
    if (left.length === 0) break
    await stopProcesses(left, 0)
  }
  await removeShimTraces(at)
  await unmountAll(at.root)
  // Tasks of the killed shims: containerd would try to reach each of them for seconds.
  await rm(at.containerdState, { recursive: true, force: true })
  await removeNetworkLeases(at, networkName)
  await removeFirewallRules(networkName)
  await removeControlGroups()
}

async function removeEverything(at: Layout): Promise<void> {
  await stopEverything(at)
  await removeKubeletTraces(at)
  await rm(at.root, { recursive: true, force: true })
}
