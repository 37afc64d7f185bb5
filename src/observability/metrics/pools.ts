import { declareMetrics } from '../declaration.ts'

export const poolMetrics = declareMetrics({
  title: 'Worker pools',
  about: 'Of each WorkerPool.',
  owners: ['WorkerPool'],
  object: ['namespace', 'pool'],
  metrics: {
    taskmill_pool_desired_replicas: { type: 'Gauge', help: 'Replicas that the WorkerPool wants.' },
    taskmill_pool_ready_replicas: {
      type: 'Gauge',
      help: 'Replicas of the WorkerPool that are Ready.',
      advice: 'Below the desired ones for longer than a pod takes to start: pods cannot be scheduled, pull their image, or start.',
    },
    taskmill_pool_max_replicas: {
      type: 'Gauge',
      help: 'Most replicas that the WorkerPool may have.',
      advice: 'Desired replicas stay at this number while jobs wait: raise maxReplicas, or find out why jobs take long.',
    },
  },
})
