// Where a Gateway finds tables of the platform team's own.
import { z } from 'zod';
import { objectName } from './scalars.ts';

export const catalog = z
  .strictObject({
    configMapRef: z
      .strictObject({ name: objectName('Name of a ConfigMap in this namespace.') })
      .describe(
        'ConfigMap with any of the keys models.json, prices.json and betas.json, each in the shape of the built-in table. A row replaces the built-in one of the same model, beta or field, or is added. Taken as a whole: a table that does not fit is reported in ResolvedRefs, and what was in force before stays.',
      ),
  })
  .describe('Models, prices and betas of your own over the built-in tables, without waiting for a release.');
