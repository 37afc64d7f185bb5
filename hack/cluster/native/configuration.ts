/** The configuration files of the node's programs. */
import { mkdir, writeFile } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KeyPair } from '../pki.ts'
import { dnsServiceAddress, networkName, podRange, ports } from './layout.ts'
import type { Layout } from './layout.ts'

export const pauseImage = 'localhost/pause:1'

export function containerdConfiguration(at: Layout): string {
  return `version = 2
root = "${at.containerd}"
state = "${at.containerdState}"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "${at.containerdSocket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  # Lowering oom_score_adj is refused in many containers and virtual machines, and every sandbox would die of it.
  restrict_oom_score_adj = true
  # Keeps the network namespaces where they are known to be ours.
  netns_mounts_under_state_dir = true
  max_concurrent_downloads = 5
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${at.cni}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
`
}

/**
 * Point-to-point links instead of a bridge: every packet between pods is routed by the host, so
 * Services work between pods of the node whether or not the kernel has br_netfilter, and no bridge stays behind.
 */
export function cniConfiguration(): string {
  const network = {
    cniVersion: '0.4.0',
    name: networkName,
    plugins: [
      { type: 'ptp', ipMasq: true, ipam: { type: 'host-local', ranges: [[{ subnet: podRange }]], routes: [{ dst: '0.0.0.0/0' }] } },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  }
  return JSON.stringify(network, null, 2)
}

export function kubeletConfiguration(at: Layout, authority: KeyPair): string {
  const configuration = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: { anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile: authority.cert } },
    authorization: { mode: 'Webhook' },
    port: ports.kubelet,
    healthzPort: 0,
    containerRuntimeEndpoint: `unix://${at.containerdSocket}`,
    cgroupDriver: 'cgroupfs',
    failSwapOn: false,
    failCgroupV1: false,
    enforceNodeAllocatable: [],
    evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    // There is no registry to pull an image from again.
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    maxPods: 250,
    serializeImagePulls: false,
    maxParallelImagePulls: 5,
    kubeAPIQPS: 200,
    kubeAPIBurst: 400,
    registryPullQPS: 0,
    eventRecordQPS: 0,
    clusterDomain: 'cluster.local',
    clusterDNS: [dnsServiceAddress],
    podLogsDir: join(at.root, 'pod-logs'),
    volumePluginDir: join(at.root, 'volume-plugins'),
    nodeStatusReportFrequency: '1m',
  }
  return JSON.stringify(configuration, null, 2)
}

export function kubeProxyConfiguration(kubeconfig: string): string {
  return JSON.stringify({
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    clientConnection: { kubeconfig },
    mode: 'iptables',
    clusterCIDR: podRange,
    iptables: { minSyncPeriod: '200ms' },
    conntrack: { maxPerCore: 0 },
    healthzBindAddress: '127.0.0.1:10256',
    metricsBindAddress: '127.0.0.1:10249',
  })
}

export function corednsConfiguration(kubeconfig: string): string {
  const upstream = /^nameserver\s/m.test(readFileSync('/etc/resolv.conf', 'utf8')) ? '  forward . /etc/resolv.conf\n' : ''
  return `.:${ports.dns} {
  errors
  health 127.0.0.1:${ports.dnsHealth}
  ready 127.0.0.1:${ports.dnsReady}
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    kubeconfig ${kubeconfig}
    pods insecure
    fallthrough in-addr.arpa ip6.arpa
  }
${upstream}  cache 5
}
`
}

export async function writeConfiguration(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(folder, { recursive: true })
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(folder, name), text)))
}
