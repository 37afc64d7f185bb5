import { taskBroker } from '../../../src/api/index.ts'
import { apiVersion, conditions, type KindCase } from './kind-case.ts'

const least = { apiVersion, kind: 'TaskBroker', metadata: { name: 'least' }, spec: { standalone: { address: 'redis:6379' } } }

const full = {
  apiVersion,
  kind: 'TaskBroker',
  metadata: { name: 'full' },
  spec: {
    standalone: { address: 'redis.redis.svc:6379' },
    keyPrefix: 'app',
    credentialsSecretRef: { name: 'redis-auth' },
    tls: { caSecretRef: { name: 'redis-ca' }, clientCertificateSecretRef: { name: 'redis-client' }, serverName: 'redis.acme.dev' },
    dispatch: 'Standby',
  },
  status: {
    conditions,
    observedGeneration: 1,
    version: '7.2.5',
    evictionPolicy: 'noeviction',
    memory: '1.2Mi/256Mi',
    persistence: 'AOF',
    appendFsync: 'everysec',
    dispatch: 'Standby',
    clockSkewSeconds: -3,
  },
}

export const taskBrokerCase: KindCase = {
  kind: taskBroker,
  full,
  least: { object: least, spec: { ...least.spec, keyPrefix: 'bull', dispatch: 'Active' } },
  words: [
    { field: 'spec.keyPrefix', values: ['a b', '*', 'a*', ':a', 'other', undefined] },
    {
      field: 'spec.standalone.address',
      values: [
        'redis',
        'redis:',
        ':6379',
        'redis:0',
        'redis:65536',
        'redis:99999',
        'redis:x',
        'redis://redis:6379',
        'a b:1',
        '[::1]',
        'a:1,b:1',
        '-a:1',
      ],
    },
    { field: 'spec.credentialsSecretRef.name', values: ['', 'Auth', 'a_b', '-a', 'a/b', '../a'] },
    { field: 'spec.tls.caSecretRef.name', values: ['', 'CA', 'a/b'] },
    { field: 'spec.tls.clientCertificateSecretRef.name', values: ['', 'Client', 'a/b'] },
    { field: 'spec.tls.serverName', values: ['', 'a b', '-a', 'redis:6379'] },
    { field: 'status.conditions[0].type', values: ['not a type'] },
    { field: 'status.conditions[0].reason', values: ['not a reason', '9', 'a-b'] },
  ],
  columns: { heading: ['NAME', 'REACHABLE', 'VERSION', 'MEMORY', 'EVICTION', 'DISPATCH', 'AGE'] },
  badManifests: [
    {
      title: 'an address without a port',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskBroker
        metadata: { name: default }
        spec:
          standalone: { address: redis.redis.svc }
      `,
      answer:
        'spec.standalone.address: Invalid value: "string": must be host:port with a port from 1 to 65535, for example redis:6379 or [fd00::7]:6379',
    },
    {
      title: 'another key prefix for queues that exist',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskBroker
        metadata: { name: full }
        spec:
          standalone: { address: redis.redis.svc:6379 }
          keyPrefix: other
      `,
      answer: 'spec.keyPrefix: Forbidden: keyPrefix cannot be changed: the queues would stay behind. Create another TaskBroker.',
    },
    {
      title: 'a TaskBroker that dispatches now and then',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskBroker
        metadata: { name: default }
        spec:
          standalone: { address: redis:6379 }
          dispatch: Passive
      `,
      answer: 'spec.dispatch: Unsupported value: "Passive": supported values: "Active", "Standby"',
    },
    {
      title: 'a status of a TaskBroker that dispatches a little',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskBroker
        metadata: { name: full }
        status:
          dispatch: Partly
      `,
      answer: 'status.dispatch: Unsupported value: "Partly": supported values: "Active", "Standby"',
    },
    {
      title: 'a status of a TaskBroker with a persistence that nobody knows',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskBroker
        metadata: { name: full }
        status:
          persistence: Tape
      `,
      answer: 'status.persistence: Unsupported value: "Tape": supported values: "AOF", "RDB", "None"',
    },
    {
      title: 'a condition of a TaskBroker that is neither true nor false',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskBroker
        metadata: { name: full }
        status:
          conditions:
            - { type: Ready, status: Maybe, reason: Connected, message: hm, lastTransitionTime: "2026-11-23T08:00:00Z" }
      `,
      answer: 'status.conditions[0].status: Unsupported value: "Maybe": supported values: "True", "False", "Unknown"',
    },
  ],
}
