import type { KubeObject, Resource } from '../object.ts'

/** An Event of events.k8s.io/v1. `note` is at most 1,024 bytes, `eventTime` has six digits of a second. */
export type Event = KubeObject & {
  readonly type: EventType
  readonly reason: string
  /** What was being done, for example `Scale`. */
  readonly action: string
  readonly note?: string
  readonly regarding: ObjectReference
  readonly eventTime: string
  readonly reportingController: string
  readonly reportingInstance: string
  /** There once the same event was seen again. */
  readonly series?: { readonly count: number; readonly lastObservedTime: string }
}

export type EventType = 'Normal' | 'Warning'

export type ObjectReference = {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly namespace?: string
  readonly uid?: string
  readonly resourceVersion?: string
}

export const events: Resource<Event> = {
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
}
