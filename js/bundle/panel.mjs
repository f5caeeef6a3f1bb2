// Builds src/panel into jupyter_assistant/static.
import rspack from '@rspack/core';
import config from './panel.config.cjs';

const compiler = rspack(config);
compiler.run((error, stats) => {
  if (error !== null || stats.hasErrors()) {
    console.error(error ?? stats.toString({ all: false, errors: true }));
    process.exitCode = 1;
  } else {
    console.log(stats.toString({ all: false, assets: true, warnings: true }));
  }
  compiler.close(() => undefined);
});
