/**
 * Overrides: what users change in an incident, beside the declared spec. An override is a part of the spec that no
 * manifest contains. The command line writes it (field manager `taskmill-cli`), so that server-side and three-way
 * applies of the manifest leave it alone. It ends by itself.
 */
import type { ConditionRegistry, EventRegistry } from '../conditions.ts'
import { dateTime, optional, string } from '../schema/index.ts'

/** The fields that all overrides have. */
export const overrideFields = {
  until: dateTime({ description: 'When the override ends. After this time it has no effect.' }),
  by: optional(string({ description: 'Who set the override. The command line fills it in.', minLength: 1, maxLength: 256 })),
  reason: optional(
    string({ description: 'Why the override was set, for other users to read.', minLength: 1, maxLength: 1024, example: 'incident 4711' }),
  ),
}

export const overrideDescription =
  'Values that replace a part of the spec until a set time. Do not put it into manifests: the `taskmill` command line writes and ' +
  'removes it.'

/** The condition of an object with an active override. */
export const overriddenCondition = {
  meaning: 'Present only while True: an override of the spec is active.',
  reasons: {
    OverrideActive: {
      status: 'True',
      meaning:
        'The message says what is overridden, until when, by whom and why. The override ends at that time; `taskmill resume` (for an alert: ' +
        '`unack`) ends it earlier.',
    },
  },
} as const satisfies ConditionRegistry[string]

export const overrideEvents = {
  OverrideStarted: {
    type: 'Normal',
    action: 'Override',
    meaning: 'An override of the spec became active; the note says which.',
  },
  OverrideEnded: {
    type: 'Normal',
    action: 'Override',
    meaning: 'The override ended or was removed. The spec applies again.',
  },
} as const satisfies EventRegistry

/** The part that all overrides have. */
export type Override = { readonly until: string; readonly by?: string; readonly reason?: string }

/** Returns the active override and its remaining time; undefined: none is active. */
export function overrideAt<O extends Override>(
  override: O | undefined,
  nowMs: number,
): { readonly override: O; readonly endsInMs: number } | undefined {
  if (override === undefined) return undefined
  const endsInMs = Date.parse(override.until) - nowMs
  return endsInMs > 0 ? { override, endsInMs } : undefined
}

/** Formats the end, author and reason: `until 2026-11-29T04:00:00Z by oncall: "incident 4711"`. */
export function overrideOrigin({ until, by, reason }: Override): string {
  return `until ${until}${by === undefined ? '' : ` by ${by}`}${reason === undefined ? '' : `: ${JSON.stringify(reason)}`}`
}
