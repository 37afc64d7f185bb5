import { declareMetrics } from '../declaration.ts'

export const clusterMetrics = declareMetrics({
  title: 'Election and API server',
  about: "Of the operator's process, named like those of client-go and controller-runtime.",
  metrics: {
    taskmill_build_info: { type: 'Gauge', help: '1, with the version of the operator as a label.', labels: ['version'] },
    leader_election_master_status: {
      type: 'Gauge',
      help: '1 while this process holds the Lease, else 0.',
      labels: ['name'],
      advice: 'No process at 1: nothing is reconciled. See the logs of the operator and the Lease.',
    },
    leader_election_slowpath_total: {
      type: 'Counter',
      help: 'Renewals that had to read the Lease first, because somebody else had written it.',
      labels: ['name'],
    },
    taskmill_leader_epoch: {
      type: 'Gauge',
      help: 'The number of the term that this process leads or led last; 0 when it never did.',
      labels: ['name'],
    },
    rest_client_requests_total: {
      type: 'Counter',
      help: 'Requests to the API server that were answered, by status, or failed (code "<error>").',
      labels: ['code', 'method', 'host'],
      advice: 'Code 403: the roles of the chart do not match its version. Code 429: the API server has too much to do.',
    },
    taskmill_cache_relist_missed_total: {
      type: 'Counter',
      help: 'Changes that a new list of a resource found and the watch had not told: above 0 without an outage of the API server, watches lose events.',
      labels: ['resource'],
    },
  },
})
