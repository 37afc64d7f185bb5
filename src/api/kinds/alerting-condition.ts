/**
 * The condition of every kind that a TaskAlert can watch: one condition over all its alerts. The `alerting` controller writes it, with a field
 * manager of its own; the controller of the kind never writes it, so that server-side apply keeps the two apart.
 */
import { type ConditionRegistry, conditionsOf } from '../conditions.ts'

export const alertingCondition = {
  meaning: 'Whether a TaskAlert that watches this object fires. Missing while none watches it.',
  reasons: {
    AlertsFiring: {
      status: 'True',
      meaning:
        'The message names the alerts that fire, with their values, and who acknowledged them. `kubectl describe tal` has more, and the runbook.',
    },
    NoAlertFiring: { status: 'False', meaning: 'All alerts of this object are judged, and none fires.' },
    AlertsUnknown: {
      status: 'Unknown',
      meaning: 'No alert is known to fire, and some cannot be judged now. The message names them and says why.',
    },
  },
} as const satisfies ConditionRegistry[string]

/** The type of the condition. */
export const alertingType = 'Alerting'

/** For example `targetCondition('Alerting', 'NoAlertFiring', '…')`. */
export const targetCondition = conditionsOf({ [alertingType]: alertingCondition })
