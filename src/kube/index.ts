/**
 * The Kubernetes API: a client of raw JSON, an informer with a cache, the Lease for election, and a recorder of Events.
 * Only this folder knows undici and client-node.
 *
 * Guarantees: one pool of connections per client. Each call ends within 30 s (a watch 5 s after its own limit), and at
 * once if its signal aborts. A refusal of the server becomes a `TaskmillError` TM_KUBE_… with the server's message. The
 * client waits and retries on 429. Tokens and certificates in files may change while it runs.
 * Does not: repeat a request that may have had an effect, convert times, drop unknown fields, or use HTTP proxies.
 */
export { createKubeClient, listAll } from './client.ts'
export type {
  Applied,
  ApplyOptions,
  CallOptions,
  DeleteOptions,
  KubeClient,
  KubeClientOptions,
  ListOptions,
  ListPage,
  Scale,
  WatchOptions,
  WriteOptions,
  Written,
} from './client.ts'
export { type ClosingNamespaces, createClosingNamespaces } from './closing-namespaces.ts'
export { loadKubeConfig, type KubeConfig, type KubeConfigSource } from './config.ts'
export { createEventRecorder, type EventInput, type EventRecorder } from './event-recorder.ts'
export { createInformer, createInformerOfNamespaces, type ChangeHandler, type Informer, type InformerDeclaration } from './informer.ts'
export { createLease, type LeaseStore, type StoredLease } from './lease.ts'
export type { Credentials, KubeConnection, ResponseObserver } from './transport.ts'
export type { WatchEvent } from './watch-stream.ts'
