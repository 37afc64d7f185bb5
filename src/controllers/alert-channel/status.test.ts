import { expect, it } from 'vitest'
import { type AlertChannel, type AlertChannelStatus, findCondition } from '../../api/index.ts'
import { transitionEvents } from './events.ts'
import type { World } from './gather.ts'
import { statusOf } from './status.ts'

const nowMs = Date.parse('2026-11-29T03:00:00Z')
const channel: AlertChannel = {
  apiVersion: 'taskmill.dev/v1alpha1',
  kind: 'AlertChannel',
  metadata: { namespace: 'acme', name: 'oncall', uid: 'u', generation: 3 },
  spec: { webhook: { urlSecretRef: { name: 'hook', key: 'url' } }, minimumSeverity: 'Info', sendResolved: true },
}
const webhook = { kind: 'Webhook', url: 'https://hooks.acme.dev/s3cr3t' } as const

function statusFor(part: Partial<World> = {}): AlertChannelStatus {
  return statusOf({ channel, status: undefined, place: webhook, activity: { waiting: 0 }, nowMs, ...part })
}
const facts = ({ conditions }: AlertChannelStatus) => conditions?.map(({ type, status, reason }) => `${type} ${status} ${reason}`)

it('says where notifications go, and not how one gets in', () => {
  const status = statusFor()
  expect(facts(status)).toEqual(['Ready True Usable'])
  expect(findCondition(status.conditions, 'Ready')?.message).toBe('notifications are posted to the URL in "url" of Secret "hook"')
  expect(status).toMatchObject({ type: 'Webhook', waiting: 0, observedGeneration: 3 })
  expect(JSON.stringify(status)).not.toContain('s3cr3t')
})

it.each([
  ['SecretNotFound', 'Reconciling'],
  ['SecretForbidden', 'Reconciling'],
  ['SecretInvalid', 'Stalled'],
] as const)('%s is %s', (reason, type) => {
  const status = statusFor({ place: { kind: 'Blocked', reason, message: 'm' } })
  expect(facts(status)).toEqual([`Ready False ${reason}`, `${type} True ${reason}`])
  expect(transitionEvents(undefined, status).map((event) => event.reason)).toEqual([reason])
  expect(transitionEvents(status, status)).toEqual([])
})

it('says what the receiver answered last, also after a restart', () => {
  const refused = statusFor({ activity: { waiting: 2, last: { ok: false, message: 'HTTP 500' }, failedAtMs: nowMs } })
  expect(facts(refused)).toEqual(['Ready True Usable', 'LastDeliverySucceeded False DeliveryFailed'])
  expect(findCondition(refused.conditions, 'LastDeliverySucceeded')?.message).toBe(
    'HTTP 500; 2 notifications are sent again. Next: look at the receiver',
  )
  expect(refused).toMatchObject({ waiting: 2, lastFailureTime: '2026-11-29T03:00:00Z' })
  const restarted = statusFor({ status: refused })
  expect(facts(restarted)).toEqual(facts(refused))
  expect(restarted.lastFailureTime).toBe('2026-11-29T03:00:00Z')
  const taken = statusFor({ status: refused, activity: { waiting: 0, last: { ok: true, message: '' }, deliveredAtMs: nowMs } })
  expect(transitionEvents(undefined, refused).map(({ reason }) => reason)).toEqual(['DeliveryFailed'])
  expect(transitionEvents(refused, taken).map(({ reason }) => reason)).toEqual(['DeliveryRecovered'])
  expect(transitionEvents(undefined, taken)).toEqual([])
})
