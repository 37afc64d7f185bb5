import { declareMetrics } from '../declaration.ts'

export const queueMetrics = declareMetrics({
  title: 'Queues',
  about:
    'Of each queue that a WorkerPool consumes, as last read from the broker: once a second while there are pods. A queue that cannot be read keeps its last values.',
  owners: ['WorkerPool'],
  object: ['namespace'],
  metrics: {
    taskmill_queue_jobs: {
      type: 'Gauge',
      help: 'Jobs of a queue, by state: waiting, prioritized, delayed, active.',
      labels: ['broker', 'queue', 'state'],
    },
    taskmill_queue_oldest_wait_seconds: {
      type: 'Age',
      help: 'How long the oldest job that could run has been waiting; missing while none waits.',
      labels: ['broker', 'queue'],
      advice:
        'Grows while pods are there: they are too few, stuck, or the queue is paused. Grows without pods: the pool does not scale, see its conditions.',
    },
  },
})
