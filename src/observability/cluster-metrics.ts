import type { clusterMetrics } from './metrics/cluster.ts'
import type { Series } from './registry.ts'

export type ElectionMetrics = { onLeading(isLeader: boolean): void; onSlowPath(): void; onEpoch(epoch: number): void }

/** One answered attempt; fits the observer of `kube`. */
export type ApiResponse = { readonly method: string; readonly status: number | 'error' }

/** Hooks for the election, the client and the caches. Every series is there from the start. */
export type ClusterMetrics = {
  election(name: string): ElectionMetrics
  apiRequests(host: string): (response: ApiResponse) => void
  /** For the informer of a resource, after each list that followed another one. */
  relists(resource: string): (relist: { readonly missed: number }) => void
}

export function createClusterMetrics(series: Series<typeof clusterMetrics>): ClusterMetrics {
  return {
    election(name) {
      series.set('leader_election_master_status', { name }, 0)
      series.add('leader_election_slowpath_total', { name }, 0)
      series.set('taskmill_leader_epoch', { name }, 0)
      return {
        onLeading: (isLeader) => series.set('leader_election_master_status', { name }, isLeader ? 1 : 0),
        onSlowPath: () => series.add('leader_election_slowpath_total', { name }),
        onEpoch: (value) => series.set('taskmill_leader_epoch', { name }, value),
      }
    },
    relists(resource) {
      series.add('taskmill_cache_relist_missed_total', { resource }, 0)
      return ({ missed }) => series.add('taskmill_cache_relist_missed_total', { resource }, missed)
    },
    apiRequests(host) {
      series.add('rest_client_requests_total', { code: '200', method: 'GET', host }, 0)
      return ({ method, status }) =>
        series.add('rest_client_requests_total', { code: status === 'error' ? '<error>' : String(status), method, host })
    },
  }
}
