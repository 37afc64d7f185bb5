import { declareMetrics } from '../declaration.ts'

export const queueMetrics = declareMetrics({
  title: 'Queues',
  about:
    'Of each queue that a WorkerPool consumes or a TaskQueue is about, as last read from the broker: once a second while there are pods. A queue that cannot be read keeps its last values.',
  owners: ['WorkerPool', 'TaskQueue'],
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
    taskmill_queue_paused: {
      type: 'Gauge',
      help: '1 while a queue is paused, whoever paused it, else 0: no worker begins any of its jobs.',
      labels: ['broker', 'queue'],
      advice: 'SUSPENDED in `kubectl get tq` says who: Yes or Override, or ByOthers for a pause past Taskmill, which is left alone.',
    },
    taskmill_queue_concurrency_limit: {
      type: 'Gauge',
      help: 'Most jobs of a queue that run at once, over all its workers; missing without a limit.',
      labels: ['broker', 'queue'],
      advice: 'As many jobs are active while others wait: the limit holds them back, not the pods. It is maxConcurrency of the TaskQueue.',
    },
  },
})
