import { declareMetrics } from '../declaration.ts'

export const brokerMetrics = declareMetrics({
  title: 'Brokers',
  about: 'Of each TaskBroker, looked at every 10 s.',
  owners: ['TaskBroker'],
  object: ['namespace', 'broker'],
  metrics: {
    taskmill_broker_reachable: {
      type: 'Gauge',
      help: '1 while the TaskBroker answers, 0 while it does not, or its Secrets cannot be used.',
      advice: 'At 0 nothing is scaled or dispatched, and workers wait: `kubectl describe tmb` says what is refused.',
    },
    taskmill_broker_memory_used_bytes: {
      type: 'Gauge',
      help: 'Memory that the server of the TaskBroker uses for data; missing where it does not tell.',
    },
    taskmill_broker_memory_max_bytes: {
      type: 'Gauge',
      help: 'Most memory that the server may use for data (maxmemory); missing without a limit.',
      advice: 'Used memory close to it: soon nothing can be added. Shorten the retention of jobs, or give the server more.',
    },
    taskmill_broker_clock_skew_seconds: {
      type: 'Gauge',
      help: "How far the server's clock is ahead of the operator's; negative: behind.",
      advice: 'More than 2 s either way: correct the time on the node that is wrong. Delayed jobs run early or late by that much.',
    },
    taskmill_broker_dispatch_active: {
      type: 'Gauge',
      help: '1 while this cluster dispatches the slots of the namespace through the TaskBroker, else 0.',
      advice: 'At 0 in every cluster that shares the broker, no schedule runs.',
    },
  },
})
