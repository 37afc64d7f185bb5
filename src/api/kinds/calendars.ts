import { enumeration, listMap, object, optional, set, string } from '../schema/index.ts'

/** The years are those of `src/scheduling/days.ts`. */
const datePattern = '(19[7-9][0-9]|20[0-9][0-9])-[0-9]{2}-[0-9]{2}'
const yearlyPattern = '[0-9]{2}-[0-9]{2}'
const timeOfDay = (description: string, pattern: string) => string({ description, maxLength: 5, pattern })

/** Whether an entry names times itself. */
const named = '(has(self.dates) || has(self.weekdays) || has(self.windows))'

const entry = (verb: string) =>
  object({
    description: `Times that are ${verb}: those at which all of its fields hold.`,
    rules: [
      {
        rule: `has(self.configMapRef) ? !(${named}) : ${named}`,
        message: 'set configMapRef alone, or at least one of dates, weekdays and windows',
      },
    ],
    fields: {
      name: string({
        description: 'Says what the entry is for.',
        minLength: 1,
        maxLength: 63,
        pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
        example: 'weekends',
      }),
      dates: optional(
        set({
          description:
            'Days: 2026-12-25, or 12-25 for each year, or a range with a slash between its first and its last day: 2026-12-24/2027-01-02, ' +
            '12-24/01-02. Years 1970 to 2099.',
          minItems: 1,
          maxItems: 1000,
          items: string({
            description: 'A day or a range of days.',
            maxLength: 21,
            pattern: `^(${datePattern}(/${datePattern})?|${yearlyPattern}(/${yearlyPattern})?)$`,
            example: '2026-12-25',
          }),
        }),
      ),
      weekdays: optional(
        set({
          description: 'Days of the week.',
          minItems: 1,
          maxItems: 7,
          items: enumeration({ description: 'A day of the week.', values: ['MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN'] }),
        }),
      ),
      windows: optional(
        listMap({
          keys: ['from'],
          description:
            'Times of day, on all of the days that dates and weekdays name. A window whose `to` is not after its `from` ends on the next day.',
          minItems: 1,
          maxItems: 16,
          items: object({
            description: 'From a time of day to another.',
            fields: {
              from: timeOfDay('The first time in the window, as 22:00.', '^([01][0-9]|2[0-3]):[0-5][0-9]$'),
              to: timeOfDay(
                'The first time after the window, as 06:00; 24:00 is the end of the day.',
                '^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$',
              ),
            },
          }),
        }),
      ),
      configMapRef: optional(
        object({
          description:
            'A key of a ConfigMap, in the same namespace, that holds dates as of `dates`, one in a line (a # begins a comment), or an iCalendar ' +
            'file. Its events name their whole days or times, with their recurrences. The operator watches the ConfigMap. Until it can read ' +
            'it, no slot is dispatched; then missedRuns decides about those that fell due.',
          fields: {
            name: string({
              description: 'Name of the ConfigMap.',
              minLength: 1,
              maxLength: 253,
              pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$',
            }),
            key: string({
              description: 'Key of the ConfigMap.',
              minLength: 1,
              maxLength: 253,
              pattern: '^[-._a-zA-Z0-9]+$',
              example: 'holidays.ics',
            }),
          },
        }),
      ),
    },
  })

/** Which slots of a schedule are left out. */
export const calendars = object({
  description:
    'Leaves slots out, by what the clocks of timeZone show at the slot. Such a slot is not due: it is not missed, and nothing catches it ' +
    'up. A change never fires slots of the past.',
  rules: [{ rule: 'has(self.exclude) || has(self.include)', message: 'exclude or include must be set' }],
  fields: {
    exclude: optional(
      listMap({
        keys: ['name'],
        description: 'Slots at these times are left out, also if include names them.',
        minItems: 1,
        maxItems: 16,
        items: entry('left out'),
      }),
    ),
    include: optional(
      listMap({ keys: ['name'], description: 'Slots at other times are left out.', minItems: 1, maxItems: 16, items: entry('kept') }),
    ),
  },
})
