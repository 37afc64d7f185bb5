/** The command lines of the control plane, shared by the node's cluster and by the one without a node. */
import type { KeyPair } from './pki.ts'

export const serviceRange = '10.96.0.0/16'
/** The first address of the range is the API server's own Service. */
export const apiServiceAddress = '10.96.0.1'

export type EtcdOptions = { readonly dataFolder: string; readonly clientPort: number; readonly peerPort: number }

export function etcdArguments({ dataFolder, clientPort, peerPort }: EtcdOptions): string[] {
  const client = `http://127.0.0.1:${clientPort}`
  const peer = `http://127.0.0.1:${peerPort}`
  return [
    `--data-dir=${dataFolder}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    // Survives SIGKILL; only a machine that loses power loses data, and then the cluster starts anew.
    '--unsafe-no-fsync=true',
    '--log-level=warn',
  ]
}

export type ApiServerOptions = {
  readonly etcdPort: number
  readonly port: number
  readonly bindAddress: string
  /** What pods reach behind the Service `kubernetes`; undefined without a node. */
  readonly advertiseAddress: string | undefined
  readonly authority: KeyPair
  readonly serving: KeyPair
  readonly kubeletClient: KeyPair
  readonly serviceAccount: KeyPair
  /** A file of bearer tokens: `token,user,uid,"group"`. */
  readonly tokens?: string
  /** The policy's file says what is written to the log's file. */
  readonly audit?: { readonly policy: string; readonly log: string }
}

export function apiServerArguments(options: ApiServerOptions): string[] {
  const advertise =
    options.advertiseAddress === undefined
      ? ['--endpoint-reconciler-type=none']
      : [`--advertise-address=${options.advertiseAddress}`, '--kubelet-preferred-address-types=InternalIP']
  const tokens = options.tokens === undefined ? [] : [`--token-auth-file=${options.tokens}`]
  const audit =
    options.audit === undefined
      ? []
      : [
          `--audit-policy-file=${options.audit.policy}`,
          `--audit-log-path=${options.audit.log}`,
          '--audit-log-maxsize=50',
          '--audit-log-maxbackup=1',
        ]
  return [
    `--etcd-servers=http://127.0.0.1:${options.etcdPort}`,
    '--authorization-mode=Node,RBAC',
    '--allow-privileged=true',
    `--service-cluster-ip-range=${serviceRange}`,
    `--bind-address=${options.bindAddress}`,
    `--secure-port=${options.port}`,
    `--tls-cert-file=${options.serving.cert}`,
    `--tls-private-key-file=${options.serving.key}`,
    `--client-ca-file=${options.authority.cert}`,
    `--service-account-key-file=${options.serviceAccount.cert}`,
    `--service-account-signing-key-file=${options.serviceAccount.key}`,
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    `--kubelet-client-certificate=${options.kubeletClient.cert}`,
    `--kubelet-client-key=${options.kubeletClient.key}`,
    ...advertise,
    ...tokens,
    ...audit,
  ]
}

export type ControllerManagerOptions = { readonly kubeconfig: string; readonly authority: KeyPair; readonly serviceAccount: KeyPair }

export function controllerManagerArguments({ kubeconfig, authority, serviceAccount }: ControllerManagerOptions): string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    '--use-service-account-credentials',
    `--root-ca-file=${authority.cert}`,
    `--service-account-private-key-file=${serviceAccount.key}`,
    '--leader-elect=false',
    '--allocate-node-cidrs=false',
    '--secure-port=0',
    // The defaults (20 and 30) make it take 5 s to start; nothing here needs protection from it.
    '--kube-api-qps=1000',
    '--kube-api-burst=2000',
  ]
}

export function schedulerArguments(kubeconfig: string): string[] {
  return [`--kubeconfig=${kubeconfig}`, '--leader-elect=false', '--secure-port=0', '--kube-api-qps=1000', '--kube-api-burst=2000']
}
