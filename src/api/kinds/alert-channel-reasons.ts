import { type ConditionRegistry, conditionsOf, type EventRegistry, eventsOf } from '../conditions.ts'

const secretNotFound = 'The Secret of urlSecretRef does not exist. Create it in this namespace; it is picked up within a minute.'
const secretForbidden = 'The operator may not read the Secret of urlSecretRef. Give it the verb get on Secrets in this namespace.'
const secretInvalid =
  'The Secret of urlSecretRef has not the key that it names, or what is there is no URL. The message says which; correct it.'

export const alertChannelConditions = {
  Ready: {
    meaning: 'Whether notifications can be sent. It never depends on whether the receiver takes them.',
    reasons: {
      Usable: { status: 'True', meaning: 'It is known where notifications go.' },
      SecretNotFound: { status: 'False', meaning: secretNotFound },
      SecretForbidden: { status: 'False', meaning: secretForbidden },
      SecretInvalid: { status: 'False', meaning: secretInvalid },
    },
  },
  Reconciling: {
    meaning: 'There only while True: something that the channel needs is not there yet, and it goes on by itself.',
    reasons: {
      SecretNotFound: { status: 'True', meaning: secretNotFound },
      SecretForbidden: { status: 'True', meaning: secretForbidden },
    },
  },
  Stalled: {
    meaning: 'There only while True: the channel cannot be used until somebody changes something.',
    reasons: { SecretInvalid: { status: 'True', meaning: secretInvalid } },
  },
  LastDeliverySucceeded: {
    meaning: 'What the receiver answered last. Missing until something was sent.',
    reasons: {
      Delivered: { status: 'True', meaning: 'It took the notification.' },
      DeliveryFailed: {
        status: 'False',
        meaning:
          'It did not answer in time, or with an error; the message says which. What it did not take is sent again. Look at the receiver.',
      },
    },
  },
} as const satisfies ConditionRegistry

export const alertChannelEvents = {
  DeliveryFailed: {
    type: 'Warning',
    action: 'Notify',
    meaning: 'The receiver stopped taking notifications; the note says why. Look at the receiver.',
  },
  DeliveryRecovered: { type: 'Normal', action: 'Notify', meaning: 'The receiver takes notifications again.' },
  SecretNotFound: { type: 'Warning', action: 'Validate', meaning: secretNotFound },
  SecretForbidden: { type: 'Warning', action: 'Validate', meaning: secretForbidden },
  SecretInvalid: { type: 'Warning', action: 'Validate', meaning: secretInvalid },
} as const satisfies EventRegistry

/** For example `channelCondition('Ready', 'Usable', '…')`. */
export const channelCondition = conditionsOf(alertChannelConditions)
export const channelEvent = eventsOf(alertChannelEvents)
