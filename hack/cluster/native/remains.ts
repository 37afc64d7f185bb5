/**
 * Finds and removes what the cluster's containers leave on the host, whether they ended in order or
 * everything was killed: processes, mounts, network namespaces, address leases, control groups.
 * Each is attributed by the run folder that it names, so other people's containers are never touched.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { readFile, readdir, readlink, rm, rmdir, unlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { tryRun } from '../command.ts'
import { processStart } from '../processes.ts'
import type { ProcessId } from '../processes.ts'
import type { Layout } from './layout.ts'

const programs = new Set([
  'containerd',
  'containerd-shim-runc-v2',
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
  'coredns',
])

/** Programs of the cluster that name its folder in their arguments, and processes whose root is in it. */
export function findProcesses(root: string): ProcessId[] {
  const found: ProcessId[] = []
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry)
    if (!Number.isInteger(pid) || pid === process.pid) continue
    if (!isProgram(pid, root) && !isContained(pid, root)) continue
    const startedAt = processStart(pid)
    if (startedAt !== undefined) found.push({ pid, startedAt })
  }
  return found
}

function isProgram(pid: number, root: string): boolean {
  const words = readText(`/proc/${pid}/cmdline`).split('\0')
  return programs.has(basename(words[0] ?? '')) && words.some((word) => word.includes(`${root}/`))
}

function isContained(pid: number, root: string): boolean {
  return rootIsBelow(readText(`/proc/${pid}/mountinfo`), root)
}

/** Whether the mount at `/` is an overlay with its upper layer below `root`: then it is a container of ours. */
export function rootIsBelow(mountinfo: string, root: string): boolean {
  return mountinfo.split('\n').some((line) => line.split(' ')[4] === '/' && line.includes(`upperdir=${root}/`))
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    // The process ended between the listing and the look.
    return ''
  }
}

/** Deepest first, the order in which they can be unmounted. */
export function mountsBelow(mounts: string, root: string): string[] {
  return mounts
    .split('\n')
    .map((line) => (line.split(' ')[1] ?? '').replaceAll('\\040', ' '))
    .filter((path) => path === root || path.startsWith(`${root}/`))
    .toReversed()
}

export async function unmountAll(root: string): Promise<void> {
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const paths = mountsBelow(await readFile('/proc/mounts', 'utf8'), root)
    if (paths.length === 0) return
    for (let start = 0; start < paths.length; start += 200) {
      await tryRun('umount', ['-l', ...paths.slice(start, start + 200)])
    }
  }
}

/** What shims and runc keep outside the run folder: sockets, whose addresses are in the state folder, and runc's own records. */
export async function removeShimTraces(at: Layout): Promise<void> {
  const tasks = join(at.containerdState, 'io.containerd.runtime.v2.task', 'k8s.io')
  for (const id of await readdir(tasks).catch(() => [])) {
    const address = await readFile(join(tasks, id, 'address'), 'utf8').catch(() => '')
    if (address.startsWith('unix://')) await unlink(address.slice('unix://'.length)).catch(() => undefined)
    await rm(join('/run/containerd/runc/k8s.io', id), { recursive: true, force: true })
  }
  await removeEmpty('/run/containerd/s', '/run/containerd/runc/k8s.io', '/run/containerd/runc', '/run/containerd')
}

export async function removeNetworkLeases(at: Layout, network: string): Promise<void> {
  await rm(join('/var/lib/cni/networks', network), { recursive: true, force: true })
  const results = '/var/lib/cni/results'
  for (const name of await readdir(results).catch(() => [])) {
    const text = await readFile(join(results, name), 'utf8').catch(() => '')
    if (text.includes(at.containerdState)) await rm(join(results, name), { force: true })
  }
  await removeEmpty(results, '/var/lib/cni/networks', '/var/lib/cni')
}

/** Links of the kubelet to logs in the run folder, and folders that it insists on. */
export async function removeKubeletTraces(at: Layout): Promise<void> {
  const links = '/var/log/containers'
  for (const name of await readdir(links).catch(() => [])) {
    const target = await readlink(join(links, name)).catch(() => '')
    if (target.startsWith(`${at.root}/`)) await unlink(join(links, name))
  }
  await unlink('/var/lib/kubelet/device-plugins/kubelet.sock').catch(() => undefined)
  await removeEmpty(links, '/var/lib/kubelet/device-plugins', '/var/lib/kubelet/pod-resources', '/var/lib/kubelet')
}

/** Control groups of pods. A group with processes cannot be removed, so those of another kubelet stay. */
export async function removeControlGroups(): Promise<void> {
  for (const top of ['/sys/fs/cgroup', ...(await readdir('/sys/fs/cgroup').catch(() => [])).map((name) => join('/sys/fs/cgroup', name))]) {
    const pods = join(top, 'kubepods')
    const below = await readdir(pods, { recursive: true, withFileTypes: true }).catch(() => [])
    const folders = below.filter((entry) => entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name))
    for (const folder of [pods, ...folders].toSorted((a, b) => b.length - a.length)) await rmdir(folder).catch(() => undefined)
  }
}

async function removeEmpty(...folders: string[]): Promise<void> {
  for (const folder of folders) await rmdir(folder).catch(() => undefined)
}
