/** The Service `kube-dns` in front of the CoreDNS that runs as a process of the host. */
import { applyObject } from '../api-request.ts'
import type { ApiAccess } from '../api-request.ts'
import { dnsServiceAddress, ports } from './layout.ts'

const portNames = [
  { name: 'dns', protocol: 'UDP' },
  { name: 'dns-tcp', protocol: 'TCP' },
] as const

export async function applyDnsService(access: ApiAccess, hostAddress: string): Promise<void> {
  const namespace = 'kube-system'
  await applyObject(access, `/api/v1/namespaces/${namespace}/services/kube-dns`, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'kube-dns', namespace, labels: { 'k8s-app': 'kube-dns' } },
    spec: { clusterIP: dnsServiceAddress, ports: portNames.map((port) => ({ ...port, port: 53, targetPort: ports.dns })) },
  })
  await applyObject(access, `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices/kube-dns-host`, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'kube-dns-host', namespace, labels: { 'kubernetes.io/service-name': 'kube-dns' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [hostAddress], conditions: { ready: true } }],
    ports: portNames.map((port) => ({ ...port, port: ports.dns })),
  })
}
