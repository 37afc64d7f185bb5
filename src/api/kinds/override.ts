/**
 * What people do at three in the morning, beside what is declared: a part of the spec that no manifest has, written by the command line (field
 * manager `taskmill-cli`), so that server-side and three-way applies of the manifest leave it alone. It ends by itself.
 */
import type { ConditionRegistry, EventRegistry } from '../conditions.ts'
import { dateTime, optional, string } from '../schema/index.ts'

/** The fields that the overrides of all kinds have. */
export const overrideFields = {
  until: dateTime({ description: 'When it ends, by itself. A moment that has passed: it has no effect any more.' }),
  by: optional(string({ description: 'Who wants it, for others to ask. The command line fills it in.', minLength: 1, maxLength: 256 })),
  reason: optional(string({ description: 'Why, for others to read.', minLength: 1, maxLength: 1024, example: 'incident 4711' })),
}

export const overrideDescription =
  'What holds instead of the rest of the spec until a moment. It is not for manifests: `taskmill` on the command line writes and removes it.'

/** The condition of an object with an override that has an effect. */
export const overriddenCondition = {
  meaning: 'There only while True: an override of the spec has an effect.',
  reasons: {
    OverrideActive: {
      status: 'True',
      meaning:
        'The message says what holds, until when, who wants it and why. It ends by itself; `taskmill resume` (of an alert: `unack`) ends it sooner.',
    },
  },
} as const satisfies ConditionRegistry[string]

export const overrideEvents = {
  OverrideStarted: {
    type: 'Normal',
    action: 'Override',
    meaning: 'An override of the spec has an effect from now on; the note says which.',
  },
  OverrideEnded: {
    type: 'Normal',
    action: 'Override',
    meaning: 'The spec holds again: the time of the override is over, or it was removed.',
  },
} as const satisfies EventRegistry

/** An override as far as all kinds have it. */
export type Override = { readonly until: string; readonly by?: string; readonly reason?: string }

/** The override that has an effect now, and for how long still; undefined: none has. */
export function overrideAt<O extends Override>(
  override: O | undefined,
  nowMs: number,
): { readonly override: O; readonly endsInMs: number } | undefined {
  if (override === undefined) return undefined
  const endsInMs = Date.parse(override.until) - nowMs
  return endsInMs > 0 ? { override, endsInMs } : undefined
}

/** Until when, who and why: ` until 2026-11-29T04:00:00Z by oncall: "incident 4711"`. */
export function overrideOrigin({ until, by, reason }: Override): string {
  return `until ${until}${by === undefined ? '' : ` by ${by}`}${reason === undefined ? '' : `: ${JSON.stringify(reason)}`}`
}
