/* SPDX-License-Identifier: BSD-2-Clause */
/* `rumpus sim`. */
#ifndef SIM_SIM_H
#define SIM_SIM_H

/* Options and arguments after the command's name. => an exit status */
int sim_main(int argc, char **argv);

#endif /* SIM_SIM_H */
