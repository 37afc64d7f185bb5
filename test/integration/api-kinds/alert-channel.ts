import { alertChannel } from '../../../src/api/index.ts'
import { apiVersion, conditions, type KindCase } from './kind-case.ts'

const logChannel = { apiVersion, kind: 'AlertChannel', metadata: { name: 'least' }, spec: { log: {} }, status: {} }
const secretChannel = {
  apiVersion,
  kind: 'AlertChannel',
  metadata: { name: 'secret' },
  spec: { webhook: { urlSecretRef: { name: 'hook', key: 'url' } } },
  status: {},
}

/** Of log and webhook there is only one, and of url and urlSecretRef. */
const full = {
  apiVersion,
  kind: 'AlertChannel',
  metadata: { name: 'full' },
  spec: { webhook: { url: 'https://alerts.acme.dev/taskmill?team=mail' }, minimumSeverity: 'Warning', sendResolved: false },
  status: {
    conditions,
    observedGeneration: 1,
    type: 'Webhook',
    waiting: 2,
    lastDeliveryTime: '2026-01-01T08:00:00Z',
    lastFailureTime: '2026-01-01T08:01:00Z',
  },
}

export const alertChannelCase: KindCase = {
  kind: alertChannel,
  full,
  alternatives: [
    { path: ['spec', 'log'], object: logChannel },
    { path: ['spec', 'webhook', 'urlSecretRef'], object: secretChannel },
  ],
  least: { object: logChannel, spec: { log: {}, minimumSeverity: 'Info', sendResolved: true } },
  words: [
    { field: 'spec', values: [{}, { log: {}, webhook: { url: 'https://a' } }] },
    { field: 'spec.webhook', values: [{}, { url: 'https://a', urlSecretRef: { name: 'a', key: 'b' } }] },
    { field: 'spec.webhook.url', values: ['ftp://a', 'https://', 'https://me:pw@a/x', 'https://a b', 'a.acme.dev/x'] },
    {
      field: 'spec.webhook.urlSecretRef.name',
      at: 'spec.webhook',
      values: ['Hook', '-a', 'a/b', '../a'].map((name) => ({ urlSecretRef: { name, key: 'url' } })),
    },
    {
      field: 'spec.webhook.urlSecretRef.key',
      at: 'spec.webhook',
      values: ['a/b', 'a b'].map((key) => ({ urlSecretRef: { name: 'hook', key } })),
    },
    { field: 'status.conditions[0].type', values: ['not a type'] },
    { field: 'status.conditions[0].reason', values: ['not a reason', '9', 'a-b'] },
  ],
  columns: {
    heading: ['NAME', 'TYPE', 'MINIMUM', 'READY', 'WAITING', 'DELIVERED', 'FAILED', 'AGE'],
    row: /^full +Webhook +Warning +True +2 +\d+[smhdy]\S* +\d+[smhdy]\S* +\d+[smh]\S*/u,
  },
  badManifests: [
    {
      title: 'a channel that leads nowhere',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: AlertChannel
        metadata: { name: oncall }
        spec:
          minimumSeverity: Critical
      `,
      answer: 'spec: Invalid value: "object": exactly one of log, webhook must be set',
    },
    {
      title: 'a webhook with two URLs',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: AlertChannel
        metadata: { name: oncall }
        spec:
          webhook:
            url: https://alerts.acme.dev
            urlSecretRef: { name: hook, key: url }
      `,
      answer: 'spec.webhook: Invalid value: "object": exactly one of url, urlSecretRef must be set',
    },
    {
      title: 'a severity of another tool',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: AlertChannel
        metadata: { name: oncall }
        spec:
          log: {}
          minimumSeverity: page
      `,
      answer: 'spec.minimumSeverity: Unsupported value: "page": supported values: "Info", "Warning", "Critical"',
    },
    {
      title: 'a type of channel that there is not',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: AlertChannel
        metadata: { name: full }
        status:
          type: Pigeon
      `,
      answer: 'status.type: Unsupported value: "Pigeon": supported values: "Log", "Webhook"',
    },
    {
      title: 'a condition of an AlertChannel that is neither true nor false',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: AlertChannel
        metadata: { name: full }
        status:
          conditions:
            - { type: Ready, status: Perhaps, reason: Fine, message: hm, lastTransitionTime: "2026-11-23T08:00:00Z" }
      `,
      answer: 'status.conditions[0].status: Unsupported value: "Perhaps": supported values: "True", "False", "Unknown"',
    },
  ],
}
