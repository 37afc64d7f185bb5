/** Metrics of the election and of the requests to the API server, named like those of client-go and controller-runtime. */
import { Counter, Gauge, type Registry } from 'prom-client'

export type ElectionMetrics = { onLeading(isLeader: boolean): void; onSlowPath(): void; onEpoch(epoch: number): void }

/** One answered attempt; fits the observer of `kube`. */
export type ApiResponse = { readonly method: string; readonly status: number | 'error' }

export type ClusterMetrics = {
  election(name: string): ElectionMetrics
  apiRequests(host: string): (response: ApiResponse) => void
  /** For the informer of a resource, after each list that followed another one. */
  relists(resource: string): (relist: { readonly missed: number }) => void
}

export function createClusterMetrics(registry: Registry): ClusterMetrics {
  const registers = [registry]
  const master = new Gauge({
    name: 'leader_election_master_status',
    help: '1 while this process holds the Lease, else 0.',
    labelNames: ['name'],
    registers,
  })
  const slowPath = new Counter({
    name: 'leader_election_slowpath_total',
    help: 'Renewals that had to read the Lease first, because somebody else had written it.',
    labelNames: ['name'],
    registers,
  })
  const epoch = new Gauge({
    name: 'taskmill_leader_epoch',
    help: 'The number of the term that this process leads or led last; 0 when it never did.',
    labelNames: ['name'],
    registers,
  })
  const requests = new Counter({
    name: 'rest_client_requests_total',
    help: 'Requests to the API server that were answered, by status, or failed (code "<error>").',
    labelNames: ['code', 'method', 'host'],
    registers,
  })
  const missed = new Counter({
    name: 'taskmill_cache_relist_missed_total',
    help: 'Changes that a new list of a resource found and the watch had not told: above 0 without an outage of the API server, watches lose events.',
    labelNames: ['resource'],
    registers,
  })
  return {
    election(name) {
      master.set({ name }, 0)
      slowPath.inc({ name }, 0)
      epoch.set({ name }, 0)
      return {
        onLeading: (isLeader) => master.set({ name }, isLeader ? 1 : 0),
        onSlowPath: () => slowPath.inc({ name }),
        onEpoch: (value) => epoch.set({ name }, value),
      }
    },
    relists(resource) {
      missed.inc({ resource }, 0)
      return (relist) => missed.inc({ resource }, relist.missed)
    },
    apiRequests: (host) => {
      requests.inc({ code: '200', method: 'GET', host }, 0)
      return ({ method, status }) => requests.inc({ code: status === 'error' ? '<error>' : String(status), method, host })
    },
  }
}
