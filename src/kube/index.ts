/**
 * The Kubernetes API: a client of raw JSON, an informer that keeps a cache, the Lease for election, a recorder of Events.
 * The only folder that knows undici and client-node.
 *
 * Guarantees: one pool of connections per client; each call ends within 30 s (a watch 5 s after its own limit) and at once when its
 * signal aborts; what the server refuses becomes a `TaskmillError` TM_KUBE_… with the server's words; a 429 is waited out;
 * tokens and certificates in files may change while it runs.
 * Does not: repeat a request that may have had an effect, convert times or drop unknown fields, speak through HTTP proxies.
 */
export { createKubeClient } from './client.ts'
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
export { loadKubeConfig, type KubeConfig, type KubeConfigSource } from './config.ts'
export { createEventRecorder, type EventInput, type EventRecorder } from './event-recorder.ts'
export { createInformer, createInformerOfNamespaces, type ChangeHandler, type Informer, type InformerDeclaration } from './informer.ts'
export { createLease, type LeaseStore, type StoredLease } from './lease.ts'
export type { KubeErrorDetails, StatusCause } from './status-error.ts'
export type { Credentials, KubeConnection, ResponseObserver } from './transport.ts'
export type { WatchEvent } from './watch-stream.ts'
