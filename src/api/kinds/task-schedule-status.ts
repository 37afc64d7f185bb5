/** What the status of a TaskSchedule says. */
import { boolean, dateTime, enumeration, integer, list, listMap, object, optional, set, string } from '../schema/index.ts'
import { conditionList, observedGeneration } from './kind.ts'

const maxCount = Number.MAX_SAFE_INTEGER

const text = (description: string, maxLength: number) => optional(string({ description, maxLength }))
const moment = (description: string) => optional(dateTime({ description }))
const count = (description: string) => optional(integer({ description, minimum: 0, maximum: maxCount }))

export const taskScheduleStatus = object({
  description: 'State of the slots, as recorded in the ledger in the broker. Written by the operator only.',
  default: {},
  fields: {
    conditions: optional(conditionList),
    observedGeneration,
    schedule: text(
      'The expressions, with a value for each H, the interval or the single times, as one text; a column of kubectl get.',
      4608,
    ),
    timeZone: text('The time zone of the schedules and the calendars. Missing with everySeconds and at without calendars.', 64),
    nextRuns: optional(
      set({
        description: 'When the next runs are due, at most five: their slots, each with its delay by jitterSeconds.',
        maxItems: 5,
        items: dateTime({ description: 'When a run is due.' }),
      }),
    ),
    next: text('When the next run is due, without seconds if they are zero; a column of kubectl get.', 32),
    activeRuns: count('Dispatched runs without a final outcome.'),
    waitingSlots: count(
      'Due slots that wait for the active run or for room in the concurrencyGroup, with concurrencyPolicy Queue. Missing: none.',
    ),
    active: optional(
      list({
        description: 'The oldest ten of those runs, and what each waits for.',
        maxItems: 10,
        items: object({
          description: 'One of the runs.',
          fields: {
            slotTime: dateTime({ description: 'Slot of the run.' }),
            run: text('The object that carries it out: tex/NAME or job/NAME. Missing for a job of a queue.', 80),
            startedTime: moment('When its current attempt began. Missing while it has not, or while that is not known.'),
            waitingFor: text('What it waits for: a worker of its queue, a pod, nodes of its graph. Missing while it runs.', 256),
          },
        }),
      }),
    ),
    dispatchedRuns: count('Slots that were dispatched since the ledger was created. With maxRuns, this is what counts.'),
    lastScheduleTime: moment('The newest slot that was dispatched.'),
    lastSuccessTime: moment('When the last successful run ended.'),
    lastSuccessSlotTime: moment('The slot of that run.'),
    lastSuccessResult: text(
      'What the task of that run returned, as JSON. Missing if it is longer than 256 bytes, and for a graph and a Kubernetes Job. Everyone who ' +
        'may read the TaskSchedule can read it.',
      256,
    ),
    lastFailureTime: moment('When the last failed run ended.'),
    lastFailureReason: text('Why that run failed, in one word: the reason of LastRunSucceeded.', 64),
    lastFailureMessage: text('Message of that failed run.', 2048),
    lastResult: optional(enumeration({ description: 'Outcome of the run that ended last.', values: ['Succeeded', 'Failed', 'Replaced'] })),
    consecutiveFailures: count('Failed runs since the last successful one.'),
    recentRuns: optional(
      list({
        description: 'The ten runs that ended last, the newest end first.',
        maxItems: 10,
        items: object({
          description: 'One of the runs.',
          fields: {
            slotTime: dateTime({ description: 'Slot of the run.' }),
            result: enumeration({ description: 'Outcome of the run.', values: ['Succeeded', 'Failed', 'Replaced'] }),
            reason: text('Why, in one word: a reason of LastRunSucceeded. Missing if it is Succeeded.', 64),
            finishTime: dateTime({ description: 'When it ended, or when Taskmill counted it as ended.' }),
            durationSeconds: count('Seconds from the start of its last attempt (a graph or a Kubernetes Job: from its start) to its end.'),
            attempts: count('Attempts that were made. Missing for a graph.'),
          },
        }),
      }),
    ),
    missedRuns: optional(
      listMap({
        description: 'Slots that were not dispatched, by reason, since the ledger was created.',
        keys: ['reason'],
        maxItems: 16,
        items: object({
          description: 'One reason.',
          fields: {
            reason: string({ description: 'Why: Overlap, Suspended, Superseded, Skipped, and so on.', minLength: 1, maxLength: 64 }),
            count: integer({ description: 'How many slots.', minimum: 0, maximum: maxCount }),
            lowerBound: optional(
              boolean({
                description:
                  'True: there were more. After a long outage at most 101 slots of cron expressions, or with calendars, are counted; those of an ' +
                  'interval are all counted. With a count of 0, their number is not known.',
              }),
            ),
            lastSlotTime: dateTime({ description: 'The newest of them; if their number is not known, none is later.' }),
          },
        }),
      }),
    ),
    reason: text('The most important reason among the conditions; a column of kubectl get.', 1024),
  },
})
