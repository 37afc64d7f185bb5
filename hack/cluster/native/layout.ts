/** Where the native cluster keeps things, and the addresses it uses. */
import { hostname, networkInterfaces } from 'node:os'
import { join } from 'node:path'

export const nodeName = 'taskmill'
export const networkName = 'taskmill'
export const podRange = '10.88.0.0/16'
export const dnsServiceAddress = '10.96.0.10'
export const ports = {
  api: 6443,
  etcd: 23_790,
  etcdPeer: 23_800,
  kubelet: 10_250,
  dns: 10_053,
  dnsHealth: 18_080,
  dnsReady: 18_181,
} as const

export type Layout = {
  readonly root: string
  readonly logs: string
  readonly pki: string
  readonly kubeconfigs: string
  readonly kubeconfig: string
  readonly etcd: string
  readonly kubelet: string
  readonly containerd: string
  readonly containerdState: string
  readonly containerdSocket: string
  readonly config: string
  readonly cni: string
  readonly state: string
  readonly auditLog: string
}

export function layout(env: NodeJS.ProcessEnv = process.env): Layout {
  const root = env['TASKMILL_RUN'] ?? '/var/lib/taskmill-cluster'
  return {
    root,
    logs: join(root, 'logs'),
    pki: join(root, 'pki'),
    kubeconfigs: join(root, 'kubeconfigs'),
    kubeconfig: join(root, 'kubeconfig'),
    etcd: join(root, 'etcd'),
    kubelet: join(root, 'kubelet'),
    containerd: join(root, 'containerd'),
    containerdState: join(root, 'containerd-state'),
    containerdSocket: join(root, 'containerd.sock'),
    config: join(root, 'config'),
    cni: join(root, 'cni'),
    state: join(root, 'state.json'),
    auditLog: join(root, 'audit.log'),
  }
}

/** The address under which pods reach the host: the first of a real interface. */
export function hostAddress(): string {
  const virtual = /^(lo|docker|br-|veth|cni|virbr|tun|tap)/
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    if (virtual.test(name)) continue
    const found = addresses?.find((address) => address.family === 'IPv4' && !address.internal)
    if (found !== undefined) return found.address
  }
  throw new Error(`${hostname()} has no network interface with an IPv4 address; pods could not reach the API server`)
}
