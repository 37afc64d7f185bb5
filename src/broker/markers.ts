import type { OwnerMarker } from '../contract/index.ts'

const kinds: readonly unknown[] = ['TaskSchedule', 'TaskExecution', 'TaskQueue'] satisfies readonly OwnerMarker['kind'][]

/** A marker of a later version, or of nobody that is known here, is left alone: undefined. */
export function parseMarker(text: string): OwnerMarker | undefined {
  try {
    const marker = JSON.parse(text) as Partial<OwnerMarker> | null
    return marker?.v === 1 && kinds.includes(marker.kind) ? (marker as OwnerMarker) : undefined
  } catch {
    return undefined
  }
}

/** Of a ledger, a run or a queue's owner. */
export function installationOf(owner: string): string {
  return owner.slice(0, owner.indexOf('/'))
}
