/**
 * The condition that every kind has which a TaskAlert may watch: one over all its alerts. The alerts write it, by a field manager of their
 * own; the controller of the kind never states it, so that server-side apply keeps the two apart.
 */
import { type ConditionRegistry, conditionsOf } from '../conditions.ts'

export const alertingCondition = {
  meaning: 'Whether a TaskAlert that watches this object fires. Missing while none watches it.',
  reasons: {
    AlertsFiring: {
      status: 'True',
      meaning: 'The message names those that fire, with their values, and who is at it. `kubectl describe tal` has more, and the runbook.',
    },
    NoAlertFiring: { status: 'False', meaning: 'All alerts of this object are judged, and none fires.' },
    AlertsUnknown: {
      status: 'Unknown',
      meaning: 'None is known to fire, and some cannot be judged now. The message names them and says why.',
    },
  },
} as const satisfies ConditionRegistry[string]

/** `Alerting`, which is written by its name by more than one. */
export const alertingType = 'Alerting'

/** For example `targetCondition('Alerting', 'NoAlertFiring', '…')`. */
export const targetCondition = conditionsOf({ [alertingType]: alertingCondition })
